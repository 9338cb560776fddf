"""Converts image and document blocks to content parts of chat completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.completion import Json
from gateway.dialects.messages.native_only import NativeOnly
from gateway.field_checks import array, mapping, missing, string


def required(parent: Json, path: str, *, name: str) -> Any:
    """A member that must be there and not null. Raises InvalidRequest."""
    value = parent.get(name)
    if value is None:
        missing(f"{path}.{name}")
    return value


def image_parts(block: Json, path: str, *, native: NativeOnly) -> Iterator[dict[str, Any]]:
    """One `image_url` part; none for a source that only Anthropic can read."""
    source = mapping(required(block, path, name="source"), f"{path}.source")
    kind = string(required(source, f"{path}.source", name="type"), f"{path}.source.type")
    if kind == "base64":
        yield {"type": "image_url", "image_url": {"url": _data_url(source, f"{path}.source")}}
    elif kind == "url":
        yield {"type": "image_url", "image_url": {"url": _string(source, f"{path}.source", name="url")}}
    else:
        native.needs_anthropic(f"{path}.source.type", f"an image source of type {kind[:60]!r}")


def document_parts(block: Json, path: str, *, native: NativeOnly) -> Iterator[dict[str, Any]]:
    """A PDF as a `file` part, any other document as text; title and context come before it as text."""
    source = mapping(required(block, path, name="source"), f"{path}.source")
    kind = string(required(source, f"{path}.source", name="type"), f"{path}.source.type")
    head = [string(block[name], f"{path}.{name}") for name in ("title", "context") if block.get(name) is not None]
    if any(head):
        yield text_part("\n".join(filter(None, head)))
    path = f"{path}.source"
    if kind == "base64":
        yield _file(_data_url(source, path), block)
    elif kind == "url":
        yield _file(_string(source, path, name="url"), block)
    elif kind == "text":
        yield text_part(_string(source, path, name="data"))
    elif kind == "content":
        yield from _content(required(source, path, name="content"), f"{path}.content", native=native)
    else:
        native.needs_anthropic(f"{path}.type", f"a document source of type {kind[:60]!r}")


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _content(value: object, path: str, *, native: NativeOnly) -> Iterator[dict[str, Any]]:
    if isinstance(value, str):
        yield text_part(value)
        return
    for index, item in enumerate(array(value, path)):
        block = mapping(item, f"{path}[{index}]")
        if block.get("type") == "image":
            yield from image_parts(block, f"{path}[{index}]", native=native)
        else:
            yield text_part(_string(block, f"{path}[{index}]", name="text"))


def _file(data: str, block: Json) -> dict[str, Any]:
    """A name with its suffix, because upstreams take the media type of a URL from it."""
    title = block.get("title") or "document"
    name = title if title.lower().endswith(".pdf") else f"{title}.pdf"
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def _data_url(source: Json, path: str) -> str:
    media_type = _string(source, path, name="media_type")
    return f"data:{media_type};base64,{_string(source, path, name='data')}"


def _string(parent: Json, path: str, *, name: str) -> str:
    return string(required(parent, path, name=name), f"{path}.{name}", empty=False)
