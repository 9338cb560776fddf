"""Composes the replies of simulated models: deterministic, about the prompt, and of the quality `quality.answer_quality`."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from llm_simulator import schema_values, tool_calls
from llm_simulator.conversation import Finish, Reply, Task
from llm_simulator.quality import answer_quality, difficulty
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.tokens import CHARS_PER_TOKEN, count

SAY = re.compile(r"\[\[say:(.*?)\]\]", re.DOTALL)
LENGTH = re.compile(r"\[\[tokens:(\d{1,6})\]\]")
MARKERS = re.compile(r"\[\[(?:fault|say|tokens|call):.*?\]\]", re.DOTALL)
EXACTLY = re.compile(
    r"\b(?:reply|respond|answer|say)\s+(?:with\s+)?(?:exactly|only)\b[^:\n\"']*[:]?\s*[\"'`“]?([^\"'`”\n]{1,200})",
    re.IGNORECASE,
)
SUM = re.compile(r"(-?\d{1,9})\s*([-+*x×])\s*(-?\d{1,9})")
WORD = re.compile(r"[^\W\d_]{5,}")
GOOD = (
    "{word} matters here because everything that follows depends on it.",
    "For {word}, the safe choice is to state the assumption, test it and keep the result.",
    "On {word}: start from the definition, then check the edge cases one by one.",
    "As for {word}, measure before you change anything.",
    "The role of {word} is easiest to see in a small example.",
)
WEAK = (
    "There are many things one could say about this.",
    "It depends on various factors.",
    "In general this should be fine.",
    "I am not entirely sure about the details.",
)


def compose(task: Task, *, key: str, repeat: int = 0, seed: int = 0, number: int = 0) -> Reply:
    """The reply to a task. `number` is the candidate's number within the request.

    The same key gives the same text; each `repeat` has its own ids, as real responses have.
    """
    key = f"{key}:{number}"
    unique = f"{key}:{repeat}"
    reasoning = compose_reasoning(task, key=key)
    reasoning_tokens = min(count(reasoning), task.thinking)
    calls = tool_calls.calls(task, key=key, unique=unique)
    if calls:
        written = sum(count(call.name) + count(json.dumps(call.arguments)) for call in calls)
        return Reply(
            "", "tools", reasoning, calls, text_tokens=written + 8, reasoning_tokens=reasoning_tokens, key=unique
        )
    text = write(task, seed=seed, key=key)
    return limit(Reply(text, "stop", reasoning, reasoning_tokens=reasoning_tokens, key=unique), task)


def limit(reply: Reply, task: Task) -> Reply:
    """Cut the text at the first stop sequence or at the token limit."""
    text, finish = reply.text, reply.finish
    stops_found = sorted((text.index(stop), stop) for stop in task.stop if stop in text)
    stop_sequence = None
    if stops_found:
        end, stop_sequence = stops_found[0]
        text, finish = text[:end], "stop_sequence"
    if task.max_tokens is not None and reply.reasoning_tokens + count(text) > task.max_tokens:
        room = max(0, task.max_tokens - reply.reasoning_tokens)
        text, finish, stop_sequence = text[: room * CHARS_PER_TOKEN], "length", None
    return replace(reply, text=text, finish=finish, stop_sequence=stop_sequence, text_tokens=max(1, count(text)))


def with_finish(reply: Reply, finish: Finish, *, text: str = "") -> Reply:
    """The reply with another finish reason, and without tool calls, as a safety system leaves it."""
    return replace(reply, text=text, calls=(), finish=finish, text_tokens=count(text), stop_sequence=None)


def compose_reasoning(task: Task, *, key: str) -> str:
    """Reasoning text, longer for harder prompts; at most half of the token limit."""
    room = min(task.thinking, (task.max_tokens or 1 << 20) // 2)
    if room < 8:
        return ""
    steps = 1 + round(6 * difficulty(task.prompt) + SeededRandom("think", key).below(2))
    subjects = key_words(task.prompt) or ["the request"]
    lines = [
        f"Step {n + 1}: consider {subjects[n % len(subjects)]} and what the user needs of it." for n in range(steps)
    ]
    return "\n".join(lines)[: room * CHARS_PER_TOKEN]


def write(task: Task, *, seed: int, key: str) -> str:
    """The full text, before any limit."""
    scripted = SAY.search(task.prompt)
    if scripted:
        return scripted[1]
    prompt = MARKERS.sub("", task.prompt).strip()
    if task.schema is not None:
        return json.dumps(
            schema_values.build_value(task.schema, prompt=prompt, rng=SeededRandom("json", key)), ensure_ascii=False
        )
    length_marker = LENGTH.search(task.prompt)
    if length_marker:
        return filler(int(length_marker[1]))
    exact = EXACTLY.search(prompt)
    if exact and not task.json_only:
        return exact[1].strip().rstrip(".") or exact[1]
    text = " ".join(sentences(task, prompt, seed=seed, key=key))
    return json.dumps({"answer": text}, ensure_ascii=False) if task.json_only else text


def sentences(task: Task, prompt: str, *, seed: int, key: str) -> list[str]:
    quality = answer_quality(task.model, prompt, seed)
    text = [f"You asked: {' '.join(prompt.split())[:120]}"] if prompt else ["Hello."]
    if not text[0].endswith((".", "?", "!")):
        text[0] += "."
    text += [f"The tool {result.name or 'call'} answered: {result.text[:400]}" for result in task.results]
    for media in task.media:
        size = f"{media.size} bytes" if media.size else "by URL"
        text.append(f"I received {media.kind} ({media.media_type}, {size}).")
    text += sum_sentences(prompt, quality=quality, seed=seed)
    return text + discussion(prompt, quality=quality, rng=SeededRandom("text", key))


def sum_sentences(prompt: str, *, quality: float, seed: int) -> list[str]:
    """The result of the first sum in the prompt; it is wrong more often the lower the quality."""
    match = SUM.search(prompt)
    if not match:
        return []
    left, right = int(match[1]), int(match[3])
    value = left + right if match[2] == "+" else left - right if match[2] == "-" else left * right
    slip = 0 if SeededRandom("sum", seed, prompt).unit() < quality + 0.1 else 1
    return [f"The result is {value + slip}."]


def discussion(prompt: str, *, quality: float, rng: SeededRandom) -> list[str]:
    """One sentence per key word of the prompt: relevant with probability `quality`, else an empty phrase."""
    subjects = key_words(prompt)[: 1 + round(8 * difficulty(prompt))]
    return [rng.pick(GOOD).format(word=word) if rng.unit() < quality else rng.pick(WEAK) for word in subjects]


def key_words(prompt: str) -> list[str]:
    """The longer words of a prompt, each once, in order."""
    return list(dict.fromkeys(word.lower() for word in WORD.findall(prompt[:20_000])))


def filler(tokens: int) -> str:
    """A text with this number of tokens."""
    line = "The quick brown fox jumps over the lazy dog. "
    return (line * (1 + tokens * CHARS_PER_TOKEN // len(line)))[: tokens * CHARS_PER_TOKEN]


def pieces(text: str, *, size: int = 18) -> list[str]:
    """The text in pieces for a stream, cut at spaces where possible."""
    chunks: list[str] = []
    while text:
        cut = text.find(" ", size - 6, size + 6)
        cut = size if cut < 0 else cut
        chunks.append(text[:cut])
        text = text[cut:]
    return chunks
