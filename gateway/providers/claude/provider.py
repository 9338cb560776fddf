"""The provider for the Anthropic Messages API: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from gateway.completion import ChatRequest, Completion, UpstreamRequest, Usage
from gateway.errors import UpstreamError
from gateway.providers.base import Provider, StreamParser
from gateway.providers.claude.errors import parse_error_event, parse_error_response
from gateway.providers.claude.profiles import profile_of
from gateway.providers.claude.request import build_messages_request
from gateway.providers.claude.response import parse_completion, parse_usage
from gateway.providers.claude.stream import ClaudeStream

API_VERSION = "2023-06-01"


class Claude(Provider):
    """Claude: a separate system prompt, content in blocks, signed thinking."""

    name = "claude"
    max_request_bytes = 32 * 1024 * 1024  # https://platform.claude.com/docs/en/api/overview#request-size-limits

    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest:
        built = build_messages_request(request, model, signatures=self.signatures)
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=self.url,
            headers=self.headers,
            json=built.body,
            stream=request.stream,
            context=built.context,
        )

    @cached_property
    def url(self) -> str:
        return f"{self.endpoint.base_url.rstrip('/')}/v1/messages"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Request headers with the key; one object for all requests, so that the transport encodes it once."""
        return {
            **self.endpoint.headers,
            "content-type": "application/json",
            "x-api-key": self.endpoint.api_key,
            "anthropic-version": API_VERSION,
        }

    def parse_response(self, body: Mapping[str, Any], sent: UpstreamRequest) -> Completion:
        if body.get("type") == "error":
            raise parse_error_event(body, provider=self.name, key=self.endpoint.api_key)
        return parse_completion(body, sent, signatures=self.signatures, provider=self.name)

    def stream_parser(self, sent: UpstreamRequest) -> StreamParser:
        return ClaudeStream(sent, signatures=self.signatures, provider=self.name, key=self.endpoint.api_key)

    def usage(self, raw: object) -> Usage | None:
        return parse_usage(raw)

    def least_cached(self, model: str) -> int | None:
        return profile_of(model).least_cached

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return parse_error_response(status, headers, body, provider=self.name, key=self.endpoint.api_key)
