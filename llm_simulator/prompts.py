"""Random prompts of simulated users, from greetings to hard analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_simulator.seeded_random import SeededRandom

SUBJECTS = [
    "bicycles",
    "glaciers",
    "vaccines",
    "bees",
    "tides",
    "coffee",
    "bridges",
    "passports",
    "cheese",
    "volcanoes",
    "satellites",
    "chess",
    "batteries",
    "orchids",
    "trams",
    "mirrors",
    "magnets",
    "deserts",
    "violins",
    "printers",
    "rivers",
    "bread",
    "kites",
    "harbours",
    "lighthouses",
    "compost",
    "owls",
]
SYSTEMS = ("cache", "queue", "scheduler", "parser", "rate limiter", "index", "replicator", "search engine", "ledger")
LANGUAGES = ("French", "German", "Spanish", "Chinese")
CITIES = ("Bonn", "Lagos", "Lima", "Oslo", "Kyoto", "Quito", "Tunis", "Perth")
DETAILS = (
    "Consider what happens when the network is split and half of the machines cannot see the others.",
    "Compare at least three designs and say for each which assumptions it needs and where it breaks.",
    "Prove that your algorithm ends, and derive its complexity in the worst case and on average.",
    "Evaluate the trade-offs between cost, latency and consistency under concurrent writers.",
    "Refactor the plan until every step can be undone, and critique what is left.",
    "Diagnose why a distributed version of it would lose updates, and optimize the strategy against that.",
)
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city"],
    "additionalProperties": False,
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"}},
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}
TOOLS = {"tools": [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]}
JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}}


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A prompt, and further members of the request body."""

    prompt: str
    body: Mapping[str, Any] = field(default_factory=dict)


# Kinds of prompts, with their share in percent.
KINDS: Mapping[str, int] = {
    "greeting": 6,
    "fact": 14,
    "sum": 6,
    "explanation": 12,
    "translation": 8,
    "story": 6,
    "code": 8,
    "person": 3,
    "weather": 3,
    "design": 34,
}
_SHARES = tuple(kind for kind, share in KINDS.items() for _ in range(share))


def random_prompt(rng: SeededRandom) -> PromptTemplate:
    """A random prompt."""
    kind = rng.pick(_SHARES)
    subject, other = rng.pick(SUBJECTS), rng.pick(SUBJECTS)
    system = rng.pick(SYSTEMS)
    number = 2 + rng.below(997)
    match kind:
        case "greeting":
            return PromptTemplate(f"{rng.pick(('Hello', 'Good morning', 'Hi there'))}, I like {subject}!")
        case "fact":
            return PromptTemplate(
                f"{rng.pick(('When were', 'Who first sold', 'Where does one find'))} {subject} in {number}?"
            )
        case "sum":
            return PromptTemplate(f"What is {number} + {2 + rng.below(997)}? I need it for {subject}.")
        case "explanation":
            return PromptTemplate(f"Explain how {subject} and {other} differ, and why that matters in step {number}.")
        case "translation":
            text = f"The {subject} are older than the {other}, said the {number}th visitor."
            return PromptTemplate(f"Translate into {rng.pick(LANGUAGES)}: {text}")
        case "story":
            return PromptTemplate(f"Write a story of {number} words about {subject} that dream of {other}.")
        case "code":
            return PromptTemplate(
                f"Write a Python function that sorts {subject} by {other} in {number} buckets, with tests."
            )
        case "person":
            return PromptTemplate(
                f"Alex, {18 + rng.below(60)}, sells {subject} in {rng.pick(CITIES)}. Give me the record.", JSON
            )
        case "weather":
            return PromptTemplate(f"What is the weather in {rng.pick(CITIES)}, good for {subject}?", TOOLS)
    details = " ".join(rng.pick(DETAILS) for _ in range(1 + rng.below(5)))
    return PromptTemplate(f"Design a {system} for {number} {subject} and analyze its architecture. {details}")
