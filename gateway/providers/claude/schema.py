"""JSON schemas as Claude takes them: any schema for a tool's input, a strict subset for structured output.

The walk goes through the places where schemas stand (`properties`, `items`, `anyOf`, ...) and nowhere else, so that a
property may have any name, `type`, `$ref` and `title` too.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

Schema = Mapping[str, Any]

_FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"])
BY_NAME = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
BY_NUMBER = ("anyOf", "oneOf", "allOf", "prefixItems")
SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_KEPT = ("$ref", "enum", "const", "title", "type", "required")
_DROPPED = frozenset(("$schema", "$id", "$anchor", "$comment", "deprecated", "readOnly", "writeOnly", "strict"))
_DEEPEST = 60


class Inexpressible(Exception):
    """The schema means something that the strict subset cannot say."""


def object_schema(schema: Schema | None) -> dict[str, Any]:
    """A tool's `input_schema`: the root is an object without a choice at its top level.

    A root reference is replaced by what it names, root `allOf` by all its properties, `anyOf` and `oneOf` by the
    properties of every branch, of which those that all branches require are required.
    """
    root = dict(schema or {})
    for _ in range(_DEEPEST):
        if not isinstance(root.get("$ref"), str):
            break
        target = resolved(root, root.pop("$ref"))
        root = {**(target if isinstance(target, Mapping) else {}), **root}
    for word in ("allOf", "anyOf", "oneOf"):
        branches = root.pop(word, None)
        if isinstance(branches, list):
            root = _folded(root, [_branch(root, branch) for branch in branches], every=word == "allOf")
    properties = root.get("properties")
    return {**root, "type": "object", "properties": properties if isinstance(properties, Mapping) else {}}


def _branch(root: Schema, branch: Any) -> Schema:
    if isinstance(branch, Mapping) and isinstance(branch.get("$ref"), str):
        branch = resolved(root, branch["$ref"])
    return branch if isinstance(branch, Mapping) else {}


def _folded(root: dict[str, Any], branches: list[Schema], *, every: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for branch in branches:
        for name, value in (branch.get("properties") or {}).items():
            properties.setdefault(name, value)
    lists = [branch.get("required") or [] for branch in branches if every or branch.get("type") != "null"]
    names = [name for names in lists for name in names]
    required = names if every else [name for name in names if all(name in other for other in lists)]
    merged = {**root, "properties": {**properties, **(root.get("properties") or {})}}
    if required or root.get("required"):
        merged["required"] = list(dict.fromkeys([*(root.get("required") or []), *required]))
    return merged


def resolved(root: Schema, reference: str) -> Any:
    """What a local reference (`#/$defs/Node`) names; None when there is no such thing."""
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#") else ("",):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if step and isinstance(found, Mapping) else None
    return found if reference != "#" else root


def strict_schema(schema: Schema) -> dict[str, Any]:
    """The schema in the strict subset; what it cannot say stands in descriptions. Raises Inexpressible.

    Objects are closed. Recursion, maps from any key and values of any type cannot be said at all.
    """
    root = dict(schema)
    if isinstance(root.get("$ref"), str):
        target = resolved(root, root["$ref"])
        if not isinstance(target, Mapping):
            raise Inexpressible("a reference leads nowhere")
        root = {**{name: root[name] for name in ("$defs", "definitions") if name in root}, **target}
    if _kind(root) != "object":
        raise Inexpressible("the root is not an object")
    _refuse_recursion(root, root, above=())
    return _strict(root)


def _refuse_recursion(root: Schema, schema: Any, *, above: tuple[str, ...]) -> None:
    for reference in _references(schema):
        target = resolved(root, reference)
        if reference in above or target is root:
            raise Inexpressible(f"{reference} contains itself")
        if not isinstance(target, Mapping):
            raise Inexpressible(f"{reference} leads nowhere")
        _refuse_recursion(root, target, above=(*above, reference))


def _references(schema: Any) -> Iterator[str]:
    """Each reference below a schema, definitions apart: those count where they are used."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(schema.get("$ref"), str):
        yield schema["$ref"]
    for word, part in parts(schema):
        if word not in ("$defs", "definitions"):
            yield from _references(part)


def parts(schema: Schema) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, each with the keyword it stands under."""
    for word in BY_NAME:
        if isinstance(schema.get(word), Mapping):
            yield from ((word, part) for part in schema[word].values())
    for word in BY_NUMBER:
        if isinstance(schema.get(word), list):
            yield from ((word, part) for part in schema[word])
    for word in SINGLE:
        if isinstance(schema.get(word), Mapping):
            yield word, schema[word]


def _kind(schema: Schema) -> Any:
    """The declared type, else the one its keywords speak of."""
    if "type" in schema:
        return schema["type"]
    return "object" if "properties" in schema else "array" if "items" in schema else None


def _strict(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise Inexpressible("a schema that is true or false")
    rest = dict(schema)
    strict: dict[str, Any] = {}
    for word in ("$defs", "definitions"):
        if isinstance(rest.get(word), Mapping):
            strict[word] = {name: _strict(part) for name, part in rest.pop(word).items()}
    kind = _kind(rest)
    if kind is not None:
        rest["type"] = kind
    for word in _KEPT:
        if word in rest:
            strict[word] = rest.pop(word)
    choices = rest.pop("oneOf", None) or rest.pop("anyOf", None)
    if choices:
        strict["anyOf"] = [_strict(part) for part in choices]
    if rest.get("allOf"):
        strict["allOf"] = [_strict(part) for part in rest.pop("allOf")]
    if not strict.keys() & {"type", "$ref", "enum", "const", "anyOf", "allOf"}:
        raise Inexpressible("a value of any type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        _close(strict, rest)
    _keep_by_type(strict, rest)
    return _described(strict, rest)


def _close(strict: dict[str, Any], rest: dict[str, Any]) -> None:
    """An object with all its properties named. One that is only a map has nothing left and is refused."""
    properties = rest.pop("properties", None) or {}
    further = rest.pop("additionalProperties", None)
    if rest.get("patternProperties") or (not properties and further is not False):
        raise Inexpressible("an object with any keys")
    strict["properties"] = {name: _strict(part) for name, part in properties.items()}
    strict["additionalProperties"] = False
    if "required" in strict:
        strict["required"] = [name for name in strict["required"] if name in properties]


def _keep_by_type(strict: dict[str, Any], rest: dict[str, Any]) -> None:
    if rest.get("format") in _FORMATS:
        strict["format"] = rest.pop("format")
    if "items" in rest:
        strict["items"] = _strict(rest.pop("items"))
    if rest.get("minItems") in (0, 1):
        strict["minItems"] = rest.pop("minItems")


def _described(strict: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """What is left over becomes a sentence of the description, as Anthropic's own SDKs do."""
    description = rest.pop("description", None)
    notes = [f"{word}: {orjson.dumps(value).decode()}" for word, value in rest.items() if word not in _DROPPED]
    texts = [description] if isinstance(description, str) and description else []
    if notes:
        texts.append("{" + ", ".join(notes) + "}")
    if texts:
        strict["description"] = "\n\n".join(texts)
    return strict
