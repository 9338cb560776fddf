"""What a request refers to instead of repeating it: `previous_response_id`, and items by id.

https://platform.openai.com/docs/guides/conversation-state. An item's id says which response it belongs to, so that it is
found without an index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from gateway.completion import Json
from gateway.errors import InvalidRequest, ItemNotFound
from gateway.field_checks import shown

RESPONSE_PREFIX = "resp_"
_ITEM_ID = re.compile(r"[a-z]+_(?P<response>.+)_(?P<number>[0-9]{1,6})")


class EarlierItems(NamedTuple):
    """Items of earlier responses: those before the request's own input, and those that the input names, by id.

    `found`: the response that `previous_response_id` names is there. `kept` says for how long responses are kept, for errors.
    """

    before: Sequence[Json] = ()
    by_id: Mapping[str, Json] = MappingProxyType({})
    found: bool = False
    kept: str = "This gateway keeps no responses"


NOTHING_EARLIER = EarlierItems()


class References(NamedTuple):
    """What a body names: a response to continue, and items of earlier responses."""

    previous: str | None = None
    items: Sequence[str] = ()


def references(body: Json) -> References:
    """The references of an unchecked body; what is malformed is left to the checks."""
    previous, items = body.get("previous_response_id"), body.get("input")
    named = [item["id"] for item in items if is_reference(item)] if isinstance(items, list) else []
    return References(
        previous if isinstance(previous, str) and previous else None, [id for id in named if isinstance(id, str)]
    )


def is_reference(item: Any) -> bool:
    """An `item_reference`; the type may be absent, then the item is nothing but an id."""
    if not isinstance(item, dict) or "id" not in item:
        return False
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and not item.keys() - {"id", "type"})


def item_id(prefix: str, response: str, number: int) -> str:
    """The id of an item: `msg_<response>_<number>`; `response` is the response's id without its prefix."""
    return f"{prefix}_{response}_{number}"


def response_of(item: str) -> str | None:
    """The id of the response that made the item; None for ids of other services."""
    match = _ITEM_ID.fullmatch(item)
    return RESPONSE_PREFIX + match["response"] if match is not None else None


def raise_previous_not_found(previous: str, kept: str) -> NoReturn:
    raise InvalidRequest(
        f"Previous response with id {shown(previous)} not found. {kept}; send the whole input instead.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def raise_item_not_found(item: str, path: str, kept: str) -> NoReturn:
    raise ItemNotFound(
        f"Item with id {shown(item)} not found. {kept}; send the item itself, as clients do with `store: false`.",
        param=path,
    )
