"""The ground truth of simulated answers: the difficulty of a prompt, and the quality of a model on it.

A router can be evaluated against `answer_quality`, because the simulated answers have exactly that quality: see `answers`.
"""

from __future__ import annotations

import math
import re

from llm_simulator.seeded_random import SeededRandom

SAMPLE = 20_000
"""Characters at each end of a prompt that determine its difficulty."""

HARD_WORDS = re.compile(
    r"\b(analy[sz]e|architect\w*|prove|proof|derive|optimi[sz]e|trade-?offs?|design|refactor|debug|compare|evaluate|"
    r"concurren\w*|distributed|theorem|algorithm|complexity|strategy|multi-?step|legal|diagnos\w*|critique)\b",
    re.IGNORECASE,
)
MIDDLE_WORDS = re.compile(
    r"\b(explain|how|why|describe|summari[sz]e|write|implement|translate|plan|function|code|steps?|difference)\b",
    re.IGNORECASE,
)
TOPICS = {
    "code": re.compile(r"```|\b(code|function|class|python|rust|sql|bug|refactor|compile|regex)\b", re.IGNORECASE),
    "math": re.compile(
        r"\d\s*[-+*/^=]\s*\d|\b(prove|theorem|integral|equation|solve|sum|probability)\b", re.IGNORECASE
    ),
    "language": re.compile(r"\b(translate|translation|french|german|spanish|chinese|grammar|rewrite)\b", re.IGNORECASE),
    "creative": re.compile(r"\b(story|poem|haiku|slogan|song|invent|imagine|joke)\b", re.IGNORECASE),
}
STRENGTHS: tuple[tuple[str, float], ...] = (
    (r"fable|mythos|gpt-6-astra", 0.98),
    (r"opus-5|gemini-4|gpt-6|kimi-k3|gpt-5\.6-sol|reflection", 0.94),
    (r"opus|gpt-5\.[2-5]-pro|grok-4\.[67]|deepseek-v4-pro|qwen3\.[678]-max|glm-5\.3(?!-flash)", 0.90),
    (r"sonnet-5|sonnet-4\.?-?6|gemini-3\.1-pro|gpt-5\.[2-6](?!.*(mini|nano))", 0.86),
    (r"sonnet|gemini-[23][\d.]*-pro|o3(?!-mini)|gpt-5(?!.*(mini|nano))|deepseek-r1|mistral-large", 0.80),
    (r"haiku-5|gemini-3\.[5-9]-flash(?!-lite)|deepseek|qwen3|glm-|kimi|grok", 0.72),
    (r"haiku|gemini-3[\d.]*-flash(?!-lite)|(?<!ge)mini(?!max)|mistral-medium|gpt-4|llama-4|minimax|70b|72b", 0.64),
    (r"flash(?!-lite)|mistral-small|gpt-oss|qwen|32b|27b|nova", 0.55),
    (r"lite|nano|tiny|[1-9]b\b|phi|lfm|gemma|gpt-3\.5", 0.45),
)
DEFAULT_STRENGTH = 0.6


def difficulty(prompt: str) -> float:
    """The difficulty of a prompt from 0 (a greeting) to 1, by length, vocabulary and structure; linear time."""
    sample = prompt if len(prompt) <= 2 * SAMPLE else prompt[:SAMPLE] + prompt[-SAMPLE:]
    hard = len({word.lower() for word in HARD_WORDS.findall(sample)})
    middle = len({word.lower() for word in MIDDLE_WORDS.findall(sample)})
    length = min(1.0, math.log1p(len(prompt) / 200) / 3)
    structure = 0.08 if "```" in sample or sample.count("\n") > 8 else 0.0
    return min(1.0, round(0.05 + min(0.6, 0.15 * hard) + min(0.27, 0.09 * middle) + 0.35 * length + structure, 4))


def topic(prompt: str) -> str:
    """`code`, `math`, `language`, `creative` or `general`."""
    sample = prompt[:SAMPLE]
    return next((name for name, pattern in TOPICS.items() if pattern.search(sample)), "general")


def strength(model: str) -> float:
    """How able a model is, 0 to 1, by the family in its name."""
    return next((value for pattern, value in STRENGTHS if re.search(pattern, model)), DEFAULT_STRENGTH)


def topic_strength(model: str, subject: str) -> float:
    """A model's own bent for a subject, -0.06 to 0.06; it is the same for every prompt of that subject."""
    return (SeededRandom("aptitude", model.split("/")[-1], subject).unit() - 0.5) * 0.12


def answer_quality(model: str, prompt: str, seed: int = 0) -> float:
    """The quality of the model's answer to the prompt, 0 to 1.

    Weak models are good only on easy prompts, strong models on all.
    """
    margin = strength(model) + topic_strength(model, topic(prompt)) - difficulty(prompt)
    expected = 0.15 + 0.83 / (1 + math.exp(-9 * (margin + 0.12)))
    noise = (SeededRandom("quality", seed, model, prompt).unit() - 0.5) * 0.08
    return max(0.0, min(1.0, round(expected + noise, 4)))
