"""Collects a request's tags: the client's own labels for reports, from `routing.tags`, a header and the `metadata` of the body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.completion import ChatRequest
from gateway.dialects.routing_hints import MAX_TAG_VALUE, MAX_TAGS, TAG_NAME

TAG_HEADER = "x-gateway-tags"
# Anthropic's member of `metadata`: it identifies a person or account, and Claude Code's session.
_NO_TAGS = frozenset({"user_id"})


def with_client_tags(request: ChatRequest, headers: Mapping[bytes, bytes], *, header: bytes) -> ChatRequest:
    """The request with the tags of `header` (`name=value,...`) and of `metadata` beside those of `routing.tags`.

    Of tags with the same name the one of `routing.tags` counts, then the header's. What is no tag is left out, long values are
    cut, and only the first 16 tags are kept: neither the header nor `metadata` has to be meant for the gateway.
    """
    metadata, line = request.body.get("metadata"), headers.get(header)
    if not metadata and not line:
        return request
    found: dict[str, str] = {}
    _add(found, (request.hints.tags or {}).items())
    if line:
        _add(found, parse_tags(line.decode("utf-8", "replace")))
    if isinstance(metadata, Mapping):
        _add(found, ((name, value) for name, value in metadata.items() if name not in _NO_TAGS))
    return request._replace(hints=replace(request.hints, tags=found)) if found else request


def parse_tags(line: str) -> Iterable[tuple[str, str]]:
    """The pairs of `name=value,...`; a value may contain `=` but no comma."""
    for item in line.split(","):
        name, sign, value = item.partition("=")
        if sign:
            yield name.strip(), value.strip()


def _add(found: dict[str, str], items: Iterable[tuple[object, object]]) -> None:
    for name, value in items:
        if len(found) >= MAX_TAGS:
            return
        if isinstance(name, str) and isinstance(value, str) and value and TAG_NAME.fullmatch(name):
            found.setdefault(name, value[:MAX_TAG_VALUE])
