"""Answers requests to Gemini's own API, which the gateway does not serve, with a 404 in Google's format that says what to use.

https://google.aip.dev/193
"""

from __future__ import annotations

import re

import orjson
from starlette.responses import Response

from gateway.catalog.catalog import ID

_METHODS = "generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict"
# Everything of the preview versions; below `/v1` only the methods of a model, because OpenAI's API has `/v1/models`, too.
_PATH = re.compile(rf"/v1(?:alpha|beta)[0-9]*(?:/.*)?|(?:/v1)?/models/.+:(?:{_METHODS})")
_MODEL = re.compile(r"/models/(?P<model>[^:]+):[A-Za-z]+$")
_STATUS = 404


def is_gemini_path(path: str) -> bool:
    return _PATH.fullmatch(path) is not None


def gemini_not_served(path: str) -> Response:
    """The 404. It names the model of the path as the gateway's other routes know it."""
    found = _MODEL.search(path)
    model = found["model"] if found is not None and ID.fullmatch(found["model"]) else "<id>"
    message = (
        f"This gateway does not serve Gemini's own API. Call OpenAI's: POST /v1/chat/completions with model gemini/{model} or "
        "auto, and POST /v1/embeddings for embeddings. Any OpenAI client can, with the base URL of this gateway and /v1."
    )
    error = {"code": _STATUS, "message": message, "status": "NOT_FOUND"}
    return Response(orjson.dumps({"error": error}), _STATUS, media_type="application/json")
