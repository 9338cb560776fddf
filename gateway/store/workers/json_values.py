"""Mutations, their results and their errors as JSON, and back: exact, and without running anything that the JSON names.

Text, numbers, booleans and None stand for themselves. Everything else is an object with one member, whose name says what it is:
`list`, `map` (pairs), `decimal`, `time`, `bytes` (base64), `integer` (beyond 64 bits), `number` (not finite), `error`, or a class
of `_CLASSES` with the values of its fields.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType, ModuleType
from typing import Any

import orjson

from gateway import errors, records
from gateway.accounts.budgets import Budget, Hold, SessionSpending
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.completion import Usage
from gateway.store import mutations
from gateway.store.workers import operations


def _classes_of(module: ModuleType, base: type[Any]) -> Iterator[type[Any]]:
    return (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, base))


_CLASSES: Mapping[str, type[Any]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            *_classes_of(mutations, mutations.Mutation),
            *_classes_of(operations, mutations.Mutation),
            *_classes_of(records, tuple),
            *_classes_of(mutations, tuple),
            *(mutations.Checkpoint, records.Feedback, Budget, Hold, SessionSpending, AdminKey, VirtualKey, Usage),
        )
    }
)


def _fields_of(kind: type[Any]) -> Sequence[str]:
    names: Sequence[str] | None = getattr(kind, "_fields", None)
    return tuple(field.name for field in fields(kind)) if names is None else names


_FIELDS: Mapping[str, Sequence[str]] = MappingProxyType(
    {name: _fields_of(each) for name, each in _CLASSES.items() if each is not mutations.Mutation}
)
_ERRORS: Mapping[str, type[Exception]] = MappingProxyType(
    {each.__name__: each for each in (*_classes_of(errors, errors.GatewayError), ValueError, TypeError, RuntimeError)}
)
_LARGEST = 2**63


def dumps(value: Any) -> bytes:
    """JSON of values that `to_json` made; the standard library writes lone surrogates, which orjson rejects."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def loads(text: bytes | bytearray) -> Any:
    """What `dumps` wrote."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)


def to_json(value: Any) -> Any:
    """A value of the ledger as JSON; an object of a class that the ledger does not use becomes its text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value < _LARGEST else {"integer": str(value)}
    name = type(value).__name__
    if _CLASSES.get(name) is type(value):
        return {name: [to_json(getattr(value, field)) for field in _FIELDS[name]]}
    return _tagged(value)


def _tagged(value: Any) -> Any:
    match value:
        case Decimal():
            return {"decimal": str(value)}
        case datetime():
            return {"time": value.isoformat()}
        case bytes():
            return {"bytes": b64encode(value).decode()}
        case Exception():
            return {"error": _error_to_json(value)}
        case Mapping():
            return {"map": [[to_json(key), to_json(each)] for key, each in value.items()]}
        case Sequence():
            return {"list": [to_json(each) for each in value]}
        case _:
            return str(value)


def from_json(value: Any) -> Any:
    """What `to_json` was given; a sequence comes back as a tuple. Raises KeyError or ValueError for other JSON."""
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if (decode := _DECODERS.get(name)) is not None:
        return decode(content)
    return _CLASSES[name](*map(from_json, content))


def _error_to_json(error: Exception) -> Sequence[Any]:
    """The class, or the nearest one that the other process knows, with the arguments and members."""
    for each in type(error).__mro__:
        if each.__name__ in _ERRORS:
            return each.__name__, to_json(error.args), to_json(vars(error))
    return RuntimeError.__name__, to_json((f"{type(error).__name__}: {error}",)), to_json({})


def _error_from_json(content: Sequence[Any]) -> Exception:
    name, arguments, members = content
    kind = _ERRORS[name]
    error = kind.__new__(kind, *from_json(arguments))
    vars(error).update(from_json(members))
    return error


_DECODERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "list": lambda content: tuple(map(from_json, content)),
        "map": lambda content: {from_json(key): from_json(each) for key, each in content},
        "decimal": Decimal,
        "time": datetime.fromisoformat,
        "bytes": b64decode,
        "integer": int,
        "number": float,
        "error": _error_from_json,
    }
)
