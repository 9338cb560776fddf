"""The simulated `batchEmbedContents` of Gemini: https://ai.google.dev/api/embeddings"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_simulator.conversation import Reply
from llm_simulator.embeddings import embed, embedding_call
from llm_simulator.gemini import GeminiVendor, errors
from llm_simulator.gemini.schema import CONTENT, enum, message
from llm_simulator.tokens import PromptCache, count
from llm_simulator.validators import Problem, array, boolean, integer, string
from llm_simulator.vendor import Body, IncomingRequest, ParsedRequest, VendorError

MAX_BATCH = 100


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """`counts`: whether a response has `usageMetadata`. `normalizes`: whether shortened vectors have length 1."""

    id: str
    size: int = 3072
    max_tokens: int = 2048
    counts: bool = False
    normalizes: bool = False


MODELS = {
    model.id: model
    for model in (
        EmbeddingModel("gemini-embedding-001"),
        EmbeddingModel("gemini-embedding-2", max_tokens=8192, counts=True, normalizes=True),
    )
}
TASK_TYPES = (
    "TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
    "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY",
)  # fmt: skip
ENTRY = message(
    {
        "model": string(),
        "content": CONTENT,
        "taskType": enum(*TASK_TYPES),
        "title": string(),
        "outputDimensionality": integer(1),
        "autoTruncate": boolean,
    },
    required=("model", "content"),
)
REQUEST = message({"requests": array(ENTRY)}, required=("requests",))


class GeminiEmbeddings(GeminiVendor):
    """Simulates `/v1beta/models/{model}:batchEmbedContents`."""

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest:
        model = MODELS.get(incoming.url_model)
        if model is None:
            raise errors.not_found(incoming.url_model, "embedContent")
        if not isinstance(incoming.body, dict):
            raise VendorError("Invalid JSON payload received. Expected an object.", kind="INVALID_ARGUMENT")
        try:
            entries = REQUEST(incoming.body, ())["requests"]
            texts = [_text(entry, model, number) for number, entry in enumerate(entries)]
        except Problem as problem:
            raise errors.vendor_error(problem) from None
        if not 1 <= len(texts) <= MAX_BATCH:
            raise _invalid(f"at most {MAX_BATCH} requests can be in one batch" if texts else "requests is not set")
        sizes = [entry.get("outputDimensionality", model.size) for entry in entries]
        return embedding_call(texts, model.id, sizes=sizes)

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
        model = MODELS[call.model]
        pairs = zip(call.options["texts"], call.options["sizes"], strict=True)
        found: Body = {"embeddings": [{"values": _vector(text, model, size)} for text, size in pairs]}
        if model.counts:
            details = [{"modality": "TEXT", "tokenCount": call.tokens.total}]
            found["usageMetadata"] = {"promptTokenCount": call.tokens.total, "promptTokenDetails": details}
        return found


def _vector(text: str, model: EmbeddingModel, size: int) -> list[float]:
    """The whole vector or its beginning, which an old model does not normalize."""
    if model.normalizes:
        return embed(text, size=size, model=model.id)
    return embed(text, size=model.size, model=model.id)[:size]


def _text(entry: dict[str, Any], model: EmbeddingModel, number: int) -> str:
    if entry["model"] != f"models/{model.id}":
        raise _invalid(f"requests[{number}].model must be models/{model.id}")
    if entry.get("outputDimensionality", 1) > model.size:
        raise _invalid(f"output_dimensionality must be between 1 and {model.size}")
    text = "".join(part.get("text", "") for part in entry["content"].get("parts", ()))
    if not text:
        raise _invalid("content contains an empty Part")
    if count(text) > model.max_tokens and entry.get("autoTruncate") is False:
        raise _invalid(f"the input token count exceeds the maximum number of tokens allowed ({model.max_tokens})")
    return text


def _invalid(what: str) -> VendorError:
    return VendorError(f"* BatchEmbedContentsRequest: {what}", kind="INVALID_ARGUMENT")
