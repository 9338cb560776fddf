"""Builds values that satisfy a JSON schema from a prompt, for tool arguments and structured output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llm_simulator.seeded_random import SeededRandom

Schema = Mapping[str, Any]
MAX_DEPTH = 12
FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T10:30:00Z",
    "time": "10:30:00Z",
    "duration": "PT30M",
    "email": "person@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
}
PLACES = re.compile(r"\b(?:[A-Z][\w'-]+(?: [A-Z][\w'-]+)*)")
JOINED_NAME = re.compile(r"(?:,| and| or) [A-Z]")
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
PATTERN_GUESSES = (
    "a",
    "A",
    "abc",
    "ABC",
    "0",
    "1",
    "123",
    "12345",
    "a1",
    "AB12",
    "2026-11-22",
    "a@b.co",
    "#aabbcc",
    "+15550100",
    "1.0.0",
    "a_b",
    "a-b",
    "",
)
NOT_NAMES_TEXT = "What Whats How Why When Where Who Which Is Are Do Does Can Could Please Tell Give Find Get Use Call The A An I In For And It If Compare Check Show Look"
NOT_NAMES = frozenset(NOT_NAMES_TEXT.split())


def names_in(prompt: str) -> list[str]:
    """Proper names in a prompt, in order: the most likely tool arguments.

    The first word of a sentence counts only without other names, or where the next name is joined to it.
    """
    mentioned: list[str] = []
    doubtful: list[str] = []
    sample = prompt[:4000]
    for match in PLACES.finditer(sample):
        name_words = [word for word in match[0].removesuffix("'s").split() if word.removesuffix("'s") not in NOT_NAMES]
        name = " ".join(name_words)
        begins = match.start() == 0 or sample[: match.start()].rstrip()[-1:] in ".?!:"
        joined = JOINED_NAME.match(sample, match.end())
        if len(name) > 1:
            (doubtful if begins and name_words[0] in match[0].split()[0] and not joined else mentioned).append(name)
    return list(dict.fromkeys(mentioned or doubtful))


class SchemaValue:
    """Builds one value. `root` resolves `$ref`; `prompt` supplies names, numbers and enum choices."""

    def __init__(self, root: Schema, *, prompt: str, rng: SeededRandom) -> None:
        self._root = root
        self._prompt = prompt
        self._rng = rng
        self._names = names_in(prompt)
        self._numbers = [float(number) for number in NUMBERS.findall(prompt[:4000])]

    def build(self) -> Any:
        return self._value(self._root, depth=0)

    def _value(self, schema: Any, *, depth: int) -> Any:
        if not isinstance(schema, Mapping):
            return {}
        schema = self._resolve(schema, depth=depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"])
        kind = self._kind(schema)
        if kind == "object":
            return self._object(schema, depth=depth)
        if kind == "array":
            return self._array(schema, depth=depth)
        if kind in ("integer", "number"):
            return self._number(schema, is_integer=kind == "integer")
        if kind == "boolean":
            return self._rng.below(2) == 0
        return None if kind == "null" else self._string(schema)

    def _resolve(self, schema: Schema, *, depth: int) -> Schema:
        """Follow `$ref`, take the simplest branch of anyOf / oneOf, merge allOf."""
        if isinstance(schema.get("$ref"), str):
            target: Any = self._root
            for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
                target = target.get(step.replace("~1", "/").replace("~0", "~"), {}) if step else target
            return self._resolve(target, depth=depth) if isinstance(target, Mapping) and depth < MAX_DEPTH else {}
        for word in ("anyOf", "any_of", "oneOf"):
            if schema.get(word):
                branches = list(schema[word])
                flat = [branch for branch in branches if branch.get("type") in ("null", "string")]
                chosen = flat[0] if depth > MAX_DEPTH // 3 and flat else branches[0]
                rest = {key: value for key, value in schema.items() if key != word}
                return self._resolve({**rest, **chosen}, depth=depth)
        if schema.get("allOf"):
            merged = {key: value for key, value in schema.items() if key != "allOf"}
            for branch in schema["allOf"]:
                part = self._resolve(branch, depth=depth)
                properties = {**merged.get("properties", {}), **part.get("properties", {})}
                required = [*merged.get("required", []), *part.get("required", [])]
                merged = {**merged, **part, "properties": properties, "required": required}
            return merged
        return schema

    def _kind(self, schema: Schema) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if isinstance(kind, str):
            return kind.lower()
        return "object" if "properties" in schema else "array" if "items" in schema else "string"

    def _object(self, schema: Schema, *, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        chosen_names = [name for name in properties if name in required or (depth < 2 and self._rng.below(2))]
        built = {name: self._property_value(name, properties[name], depth=depth + 1) for name in chosen_names}
        return built | {name: "value" for name in required if name not in properties}

    def _property_value(self, name: str, schema: Any, *, depth: int) -> Any:
        """The value of a property; a name from the prompt where the property's name suggests one."""
        plain = isinstance(schema, Mapping) and not (schema.keys() & {"enum", "const", "pattern", "format", "$ref"})
        about = re.search(
            r"city|location|place|country|town|name|person|company|symbol|query|topic", name, re.IGNORECASE
        )
        if plain and about and self._kind(schema) == "string" and "anyOf" not in schema:
            return self._fit_length(self._names[0] if self._names else self._prompt.strip()[:60] or name, schema)
        return self._value(schema, depth=depth)

    def _array(self, schema: Schema, *, depth: int) -> list[Any]:
        low = int(schema.get("minItems", 0) or 0)
        high = int(schema.get("maxItems", low + 2) or 0)
        size = low if depth > MAX_DEPTH // 2 else max(low, min(high, 1 + self._rng.below(2)))
        prefix = [self._value(item, depth=depth + 1) for item in schema.get("prefixItems", [])][:high]
        items = prefix + [self._value(schema.get("items", {}), depth=depth + 1) for _ in range(size - len(prefix))]
        if not schema.get("uniqueItems"):
            return items
        unique = [item for index, item in enumerate(items) if item not in items[:index]]
        return unique + [f"{unique[0]}{n}" for n in range(low - len(unique))] if len(unique) < low else unique

    def _number(self, schema: Schema, *, is_integer: bool) -> float:
        low, high = self._bounds(schema, step=1 if is_integer else 0.5)
        candidates = [n for n in self._numbers if low <= n <= high and (not is_integer or n == int(n))]
        value = candidates[0] if candidates else low + (high - low) * self._rng.unit()
        step = schema.get("multipleOf")
        if step:
            first = -(-low // step) * step
            value = max(first, value // step * step)
        return int(value) if is_integer else round(value, 6) if low <= round(value, 6) <= high else value

    def _bounds(self, schema: Schema, *, step: float) -> tuple[float, float]:
        low, high = schema.get("minimum"), schema.get("maximum")
        over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if isinstance(over, int | float) and not isinstance(over, bool):
            low = max(over + step, low if low is not None else over + step)
        if isinstance(under, int | float) and not isinstance(under, bool):
            high = min(under - step, high if high is not None else under - step)
        if low is None:
            low = 0 if high is None or high >= 0 else high - 10
        return float(low), float(low + 10 if high is None else max(low, high))

    def _string(self, schema: Schema) -> str:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        if isinstance(schema.get("pattern"), str):
            return self._matching(schema["pattern"])
        name_words = self._prompt.split() or ["value"]
        start = self._rng.below(max(1, len(name_words) - 3))
        return self._fit_length(" ".join(name_words[start : start + 3])[:80], schema)

    def _matching(self, pattern: str) -> str:
        """A string for a pattern, from a list of guesses; the pattern's text where none matches."""
        guesses = (*self._names, *PATTERN_GUESSES)
        try:
            return next((guess for guess in guesses if re.search(pattern, guess)), pattern.strip("^$"))
        except re.error:
            return pattern.strip("^$")

    def _fit_length(self, text: str, schema: Schema) -> str:
        low, high = int(schema.get("minLength") or 0), int(schema.get("maxLength") or 10_000)
        return (text + "." * max(0, low - len(text)))[:high]

    def _choice(self, options: list[Any]) -> Any:
        """The enum value that the prompt names, else a random one."""
        prompt = self._prompt.lower()
        mentioned = [option for option in options if isinstance(option, str) and option and option.lower() in prompt]
        return mentioned[0] if mentioned else self._rng.pick(options)


def build_value(schema: Schema, *, prompt: str, rng: SeededRandom) -> Any:
    """A value that is valid against the schema."""
    return SchemaValue(schema, prompt=prompt, rng=rng).build()
