"""The provider for any upstream with OpenAI's chat completions API; it needs only a base URL and a key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

from gateway.completion import ChatRequest, Completion, Json, UpstreamRequest, Usage
from gateway.embeddings import EmbeddingRequest, Embeddings
from gateway.providers.base import Provider, StreamParser
from gateway.providers.openai_compatible.answer import (
    dropped_kinds,
    extra_of,
    parse_choices,
    parse_usage,
    raise_for_error,
)
from gateway.providers.openai_compatible.embeddings import EMBEDDING_FIELDS, build_embeddings, parse_embeddings
from gateway.providers.openai_compatible.request import OPENAI, AllowedFields, chat_body
from gateway.providers.openai_compatible.stream import OpenAIStream


class OpenAICompatible(Provider):
    """OpenAI's own API and compatible ones. The key may be empty, for example for a local server."""

    name = "openai"
    allowed_fields: AllowedFields = OPENAI
    embedding_fields: frozenset[str] = EMBEDDING_FIELDS

    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest:
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=self.url,
            headers=self.headers,
            json=self.body(request, model),
            stream=request.stream,
        )

    def body(self, request: ChatRequest, model: str) -> dict[str, Any]:
        return chat_body(request, model, allowed=self.allowed_fields)

    def parse_response(self, body: Json, sent: UpstreamRequest) -> Completion:
        raise_for_error(body, provider=self.name, key=self.endpoint.api_key)
        return Completion(
            choices=parse_choices(
                body, provider=self.name, key=self.endpoint.api_key, detail_extra=self.detail_extra(sent)
            ),
            usage=self.usage_in(body),
            upstream_id=body["id"] if isinstance(body.get("id"), str) else None,
            model=self.reported_model(body, sent),
            extra=extra_of(body),
            dropped=dropped_kinds(body),
        )

    def build_embedding_request(self, request: EmbeddingRequest, model: str) -> UpstreamRequest:
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=f"{self.endpoint.base_url.rstrip('/')}/embeddings",
            headers=self.headers,
            json=build_embeddings(request, model, allowed=self.embedding_fields),
            stream=False,
        )

    def parse_embeddings(self, body: Json, sent: UpstreamRequest) -> Embeddings:
        raise_for_error(body, provider=self.name, key=self.endpoint.api_key)
        usage = self.usage_in(body)
        return parse_embeddings(body, inputs=len(sent.json["input"]), usage=usage, provider=self.name)

    def stream_parser(self, sent: UpstreamRequest) -> StreamParser:
        return OpenAIStream(
            provider=self.name,
            key=self.endpoint.api_key,
            usage=self.usage_in,
            detail_extra=self.detail_extra(sent),
            reported_model=partial(self.reported_model, sent=sent),
        )

    def usage(self, raw: object) -> Usage | None:
        return parse_usage(raw)

    def usage_in(self, body: Json) -> Usage | None:
        """The usage in an answer, or in an event of a streamed one."""
        return self.usage(body.get("usage"))

    def reported_model(self, body: Json, sent: UpstreamRequest) -> str | None:
        """The answering model, where the request left the choice to the upstream; else None."""
        return None

    def detail_extra(self, sent: UpstreamRequest) -> Json:
        """Members added to each of the `reasoning_details`, to recognize them in a later request."""
        return {}

    @cached_property
    def url(self) -> str:
        return f"{self.endpoint.base_url.rstrip('/')}/chat/completions"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Request headers with the key; one object for all requests, so that the transport encodes it once."""
        headers = dict(self.endpoint.headers)
        if self.endpoint.api_key:
            headers["authorization"] = f"Bearer {self.endpoint.api_key}"
        return headers
