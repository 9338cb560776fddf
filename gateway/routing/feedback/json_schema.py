"""Validates a JSON value against a JSON schema, with the keywords that tool and answer schemas use.

Checked are `type`, `enum`, `const`, `required`, `properties`, `additionalProperties`, `items`, `prefixItems`, `minItems`,
`maxItems`, `anyOf`, `oneOf` (as anyOf), `allOf` and local `$ref`, as JSON Schema 2020-12 defines them. Any other keyword,
and anything that is not a schema, counts as satisfied: an answer is called invalid only if it certainly is. The work is bounded, so
that no schema and no answer can block the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Limits on the schemas checked for one value and on their depth. Anything beyond counts as satisfied.
MAX_STEPS = 20_000
MAX_DEPTH = 64


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),  # type: ignore[attr-defined]  # a float
}


def violation(value: Any, schema: Any) -> str | None:
    """Path and keyword of the first violation, for example `$.city: type`; None if none is found."""
    return _Check(schema).at(value, schema, path="$", depth=0)


class _Check:
    """One validation with its budget of steps. `root` is the schema that references point into."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0

    def at(self, value: Any, schema: Any, *, path: str, depth: int) -> str | None:
        self._steps += 1
        if schema is False:
            return f"{path}: not allowed"
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        if not _of_type(value, schema.get("type")):
            return f"{path}: type"
        if "const" in schema and not _same(value, schema["const"]):
            return f"{path}: const"
        options = schema.get("enum")
        self._steps += len(options) if isinstance(options, list) else 0
        if isinstance(options, list) and not any(_same(value, option) for option in options):
            return f"{path}: enum"
        return self._combined(value, schema, path=path, depth=depth) or self._inside(
            value, schema, path=path, depth=depth
        )

    def _combined(self, value: Any, schema: Mapping[str, Any], *, path: str, depth: int) -> str | None:
        if isinstance(schema.get("$ref"), str):
            error = self.at(value, self._target(schema["$ref"]), path=path, depth=depth + 1)
            if error:
                return error
        for part in _list(schema, "allOf"):
            if error := self.at(value, part, path=path, depth=depth + 1):
                return error
        for keyword in ("anyOf", "oneOf"):
            branches = _list(schema, keyword)
            if branches and all(self.at(value, branch, path=path, depth=depth + 1) for branch in branches):
                return f"{path}: {keyword}"
        return None

    def _inside(self, value: Any, schema: Mapping[str, Any], *, path: str, depth: int) -> str | None:
        if isinstance(value, dict):
            return self._members(value, schema, path=path, depth=depth + 1)
        if isinstance(value, list):
            return self._items(value, schema, path=path, depth=depth + 1)
        return None

    def _members(self, value: dict[str, Any], schema: Mapping[str, Any], *, path: str, depth: int) -> str | None:
        for name in _list(schema, "required"):
            if isinstance(name, str) and name not in value:
                return f"{path}: required"
        properties = schema.get("properties")
        declared: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
        patterned = "patternProperties" in schema
        others = schema.get("additionalProperties", True)
        for name, member in value.items():
            if name in declared:
                error = self.at(member, declared[name], path=f"{path}.{name[:40]}", depth=depth)
            elif patterned:
                continue
            else:
                error = self.at(member, others, path=f"{path}.*", depth=depth)
            if error:
                return error
        return None

    def _items(self, value: list[Any], schema: Mapping[str, Any], *, path: str, depth: int) -> str | None:
        if _is_number(schema.get("minItems")) and len(value) < schema["minItems"]:
            return f"{path}: minItems"
        if _is_number(schema.get("maxItems")) and len(value) > schema["maxItems"]:
            return f"{path}: maxItems"
        prefix = _list(schema, "prefixItems")
        for index, item in enumerate(value):
            rule = prefix[index] if index < len(prefix) else schema.get("items", True)
            if error := self.at(item, rule, path=f"{path}[{index}]", depth=depth):
                return error
            if self._steps > MAX_STEPS:
                return None
        return None

    def _target(self, reference: str) -> Any:
        """The target of a local reference; True, which everything satisfies, for any other."""
        if not reference.startswith("#"):
            return True
        target: Any = self._root
        for step in filter(None, reference[1:].split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name, True) if isinstance(target, Mapping) else True
        return target


def _list(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _of_type(value: Any, declared: Any) -> bool:
    names = declared if isinstance(declared, list) else [declared]
    checks = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    return len(checks) < len(names) or any(check(value) for check in checks)


def _same(value: Any, other: Any) -> bool:
    """Equality of JSON values: 1 equals 1.0, but true does not equal 1."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)
