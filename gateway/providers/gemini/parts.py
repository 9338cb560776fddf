"""Parses images and audio in a response.

An image becomes an entry of `images`, as in OpenRouter's API: https://openrouter.ai/docs/features/multimodal/image-generation.
Audio becomes OpenAI's `audio`. Gemini sends raw PCM, 16 bits, mono: OpenAI's format `pcm16`.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import Any, NamedTuple

from gateway.completion import Json
from gateway.providers.gemini.signatures import extension

# OpenAI's `expires_at`: until when a later request may refer to the audio. Here it never may.
EXPIRED = 0
PCM_RATE = 24_000  # samples per second, where the response names none
_RATE = re.compile(r"rate=(\d{4,6})\b")
_RAW_AUDIO = ("audio/l16", "audio/pcm")


def image_of(part: Json) -> dict[str, Any] | None:
    """The `images` entry of a part that is an image; None for any other part."""
    blob, file = part.get("inlineData"), part.get("fileData")
    if isinstance(blob, dict) and _is_of(blob, "image/") and isinstance(blob.get("data"), str) and blob["data"]:
        return _image(f"data:{blob['mimeType']};base64,{blob['data']}", part)
    if isinstance(file, dict) and _is_of(file, "image/") and isinstance(file.get("fileUri"), str) and file["fileUri"]:
        return _image(file["fileUri"], part)
    return None


def _image(url: str, part: Json) -> dict[str, Any]:
    signature = part.get("thoughtSignature")
    signed = extension(signature) if isinstance(signature, str) and signature else {}
    return {"type": "image_url", "image_url": {"url": url}, **signed}


class AudioData(NamedTuple):
    """A piece of audio: its MIME type and its data in base64."""

    mime: str
    data: str


def audio_of(part: Json) -> AudioData | None:
    """The audio of a part; None for any other part."""
    blob = part.get("inlineData")
    if isinstance(blob, dict) and _is_of(blob, "audio/") and isinstance(blob.get("data"), str) and blob["data"]:
        return AudioData(blob["mimeType"], blob["data"])
    return None


def _is_of(blob: Json, kind: str) -> bool:
    mime = blob.get("mimeType")
    return isinstance(mime, str) and mime.lower().startswith(kind)


def audio_id(response_id: str, index: int) -> str:
    """The id of a choice's audio: the same in each chunk of a stream."""
    return f"audio_{response_id or 'gemini'}_{index}"


def joined_audio(pieces: list[AudioData], *, wav: bool) -> str:
    """The pieces as one base64 text; with `wav` raw PCM gets a WAV header."""
    if len(pieces) == 1 and not wav:
        return pieces[0].data
    data = b"".join(_decoded(piece.data) for piece in pieces)
    mime = pieces[0].mime.lower()
    if wav and mime.startswith(_RAW_AUDIO):
        data = _wav_header(len(data), rate=_rate(mime)) + data
    return base64.b64encode(data).decode()


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""


def _rate(mime: str) -> int:
    match = _RATE.search(mime)
    return int(match[1]) if match else PCM_RATE


def _wav_header(size: int, *, rate: int) -> bytes:
    """RIFF header for mono PCM with 16 bits; `size` in bytes, `rate` in samples per second."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


def unsupported_kind(part: Json) -> str | None:
    """The name of a part that OpenAI's format cannot carry; None for text, a call or a bare signature."""
    known = {"text", "thought", "thoughtSignature", "functionCall", "partMetadata", "videoMetadata", "mediaResolution"}
    names = sorted(part.keys() - known)
    if not names:
        return None
    if names[0] in ("inlineData", "fileData"):
        blob = part[names[0]]
        mime = blob.get("mimeType") if isinstance(blob, dict) else None
        kind = mime.partition("/")[0].lower() if isinstance(mime, str) else "unknown"
        return f"{names[0]} {kind}"
    return names[0]
