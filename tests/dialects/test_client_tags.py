"""Where a request's tags come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.completion import ChatRequest, RoutingHints
from gateway.dialects.client_tags import with_client_tags


def tags(line: bytes | None = None, hints: Mapping[str, str] | None = None, **body: Any) -> Mapping[str, str] | None:
    request = ChatRequest(body=body, model="auto", messages=[], hints=RoutingHints(tags=hints))
    headers = {} if line is None else {b"x-tags": line}
    return with_client_tags(request, headers, header=b"x-tags").hints.tags


def test_tags_of_hints_win_over_header_and_metadata() -> None:
    """Tags come from all three places; of the same name `routing.tags` counts, then the header."""
    metadata = {"a": "3", "b": "3", "c": "3"}
    assert tags(b"a=2, b=2", {"a": "1"}, metadata=metadata) == {"a": "1", "b": "2", "c": "3"}


def test_request_without_tags_stays_the_same_object() -> None:
    """Nothing is copied for a request that brings no tags."""
    request = ChatRequest(body={}, model="auto", messages=[])
    assert with_client_tags(request, {}, header=b"x-tags") is request
    assert tags(b"no pair", metadata={"user_id": "u"}) is None


def test_metadata_and_header_are_cut_instead_of_refused() -> None:
    """At most 16 tags are kept, values are cut at 256 characters, and what is no tag is left out."""
    many = tags(metadata={f"n{number}": "x" * 300 for number in range(20)})
    assert many is not None
    assert (len(many), {len(value) for value in many.values()}) == (16, {256})
    assert tags(b"=x,a,b=,c=d=e,\xff=1,__p=1") == {"c": "d=e"}
    assert tags(metadata={"a": 1, "b": None, "c": "x", "user_id": "someone"}) == {"c": "x"}


def test_metadata_that_is_no_object_has_no_tags() -> None:
    """Other dialects may put anything into `metadata`."""
    assert tags(metadata="text") is None
