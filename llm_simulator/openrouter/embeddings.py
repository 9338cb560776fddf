"""OpenRouter's simulated embeddings: https://openrouter.ai/docs/api-reference/embeddings"""

from __future__ import annotations

import base64
import struct
from typing import Any

from llm_simulator.conversation import Reply
from llm_simulator.embeddings import embed, embedding_call
from llm_simulator.models import OPENROUTER_ID, openrouter_serves
from llm_simulator.openrouter import OpenRouterVendor, errors
from llm_simulator.tokens import PromptCache
from llm_simulator.validators import Path, Problem, array, integer, mapping, one_of, optional, record, string
from llm_simulator.vendor import Body, IncomingRequest, ParsedRequest, VendorError

SIZE = 1536
USD_PER_TOKEN = 2e-8
MAX_INPUTS = 2048


def _input(value: Any, path: Path) -> list[Any]:
    """A text, texts, the token ids of a text, or those of several."""
    if isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int)):
        value = [value]
    found: list[Any] = array(_text_or_tokens, least=1, most=MAX_INPUTS)(value, path)
    return found


def _text_or_tokens(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return array(integer(0), least=1)(value, path)
    return string(least=1)(value, path)


REQUEST = record(
    {
        "model": string(least=1),
        "input": _input,
        "dimensions": optional(integer(1, 4096)),
        "encoding_format": optional(one_of("float", "base64")),
        "input_type": string(),
        "provider": mapping,
        "user": string(),
    },
    required=("model", "input"),
)


class OpenRouterEmbeddings(OpenRouterVendor):
    """Simulates `/api/v1/embeddings`. A served model has `embed` in its name."""

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest:
        if not isinstance(incoming.body, dict):
            raise VendorError("Invalid JSON")
        try:
            body = REQUEST(incoming.body, ())
        except Problem as problem:
            raise errors.vendor_error(problem) from None
        model = body["model"]
        if not OPENROUTER_ID.fullmatch(model):
            raise VendorError(f"{model} is not a valid model ID")
        if not openrouter_serves(model) or "embed" not in model:
            raise VendorError(f"No endpoints found for {model}.", status=404)
        texts = [item if isinstance(item, str) else " ".join(map(str, item)) for item in body["input"]]
        tokens = [len(item) for item in body["input"] if not isinstance(item, str)]
        return embedding_call(
            texts,
            model,
            tokens=sum(tokens) if tokens else None,
            size=body.get("dimensions") or SIZE,
            base64=body.get("encoding_format") == "base64",
        )

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
        tokens, options = call.tokens.total, call.options
        vectors = [embed(text, size=options["size"], model=call.model) for text in options["texts"]]
        return {
            "id": f"gen-emb-{replies[0].key}",
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _encoded(vector) if options["base64"] else vector}
                for index, vector in enumerate(vectors)
            ],
            "model": call.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "cost": round(tokens * USD_PER_TOKEN, 12)},
        }


def _encoded(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
