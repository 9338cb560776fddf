"""Any upstream that speaks OpenAI's chat completions: a base URL and a key are all it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

from gateway.completion import ChatRequest, Completion, Json, UpstreamRequest, Usage
from gateway.providers.base import Provider, StreamParser
from gateway.providers.openai_compatible.answer import choices_of, dropped_of, extra_of, refuse_error, usage_of
from gateway.providers.openai_compatible.request import OPENAI, AllowedFields, chat_body
from gateway.providers.openai_compatible.stream import OpenAIStream


class OpenAICompatible(Provider):
    """OpenAI's own API and everything that copies it; the key may be empty, as for a server on the same machine."""

    name = "openai"
    members: AllowedFields = OPENAI

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
        return chat_body(request, model, members=self.members)

    def parse_response(self, body: Json, sent: UpstreamRequest) -> Completion:
        refuse_error(body, provider=self.name, key=self.endpoint.api_key)
        return Completion(
            choices=choices_of(body, provider=self.name, key=self.endpoint.api_key, mark=self.detail_extra(sent)),
            usage=self.usage(body.get("usage")),
            upstream_id=body["id"] if isinstance(body.get("id"), str) else None,
            model=self.reported_model(body, sent),
            extra=extra_of(body),
            dropped=dropped_of(body),
        )

    def stream_parser(self, sent: UpstreamRequest) -> StreamParser:
        return OpenAIStream(
            provider=self.name,
            key=self.endpoint.api_key,
            usage=self.usage,
            mark=self.detail_extra(sent),
            served=partial(self.reported_model, sent=sent),
        )

    def usage(self, raw: object) -> Usage | None:
        return usage_of(raw)

    def reported_model(self, body: Json, sent: UpstreamRequest) -> str | None:
        """Who answered, where the request left that to the upstream."""
        return None

    def detail_extra(self, sent: UpstreamRequest) -> Json:
        """What each of an answer's `reasoning_details` is marked with, to be known again in a later request."""
        return {}

    @cached_property
    def url(self) -> str:
        return f"{self.endpoint.base_url.rstrip('/')}/chat/completions"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What opens the endpoint; one object for all requests, so that the transport writes it out once."""
        headers = dict(self.endpoint.headers)
        if self.endpoint.api_key:
            headers["authorization"] = f"Bearer {self.endpoint.api_key}"
        return headers
