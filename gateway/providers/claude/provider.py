"""The provider for the Anthropic Messages API: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from gateway.completion import ChatRequest, Completion, Json, NativeRequest, UpstreamRequest, Usage
from gateway.errors import UpstreamError
from gateway.providers.base import Provider, StreamParser
from gateway.providers.claude.errors import parse_error_event, parse_error_response
from gateway.providers.claude.native_stream import NATIVE, NativeStream
from gateway.providers.claude.passthrough import native_body, native_count_body
from gateway.providers.claude.profiles import profile_of
from gateway.providers.claude.request import build_messages_request
from gateway.providers.claude.response import parse_completion, parse_usage
from gateway.providers.claude.stream import ClaudeStream

API_VERSION = "2023-06-01"
_CACHED_HEADERS = 64


class Claude(Provider):
    """Claude: a separate system prompt, content in blocks, signed thinking."""

    name = "claude"
    max_request_bytes = 32 * 1024 * 1024  # https://platform.claude.com/docs/en/api/overview#request-size-limits

    native_dialects = frozenset({"messages"})

    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest:
        if request.native is not None and self.speaks(request.native):
            return self._native(
                request.native, native_body(request, request.native, model, signatures=self.signatures), model=model
            )
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

    def build_count_request(self, request: ChatRequest, model: str) -> UpstreamRequest | None:
        if request.native is None or not self.speaks(request.native):
            return None
        body = native_count_body(request.native, model, signatures=self.signatures)
        return self._native(request.native, body, model=model, path="/count_tokens")

    def _native(self, native: NativeRequest, body: Json, *, model: str, path: str = "") -> UpstreamRequest:
        """The client's own request with its version, betas and query."""
        query = f"?{native.query}" if native.query else ""
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=f"{self.url}{path}{query}",
            headers=self._native_headers(
                native.headers.get("anthropic-version", API_VERSION), native.headers.get("anthropic-beta", "")
            ),
            json=body,
            stream=body.get("stream") is True,
            context=NATIVE,
        )

    @cached_property
    def _native_headers(self) -> Callable[[str, str], Mapping[str, str]]:
        """Headers by version and betas. Clients repeat theirs, so the same object comes again, as in `headers`."""

        def build(version: str, betas: str) -> Mapping[str, str]:
            names = ",".join(filter(None, (self.endpoint.headers.get("anthropic-beta"), betas)))
            return {
                **self.headers,
                "anthropic-version": version,
                **({"anthropic-beta": names} if names else {}),
            }

        return lru_cache(_CACHED_HEADERS)(build)

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
        if sent.context is NATIVE:
            translated = sent._replace(context={})
            completion = parse_completion(body, translated, signatures=self.signatures, provider=self.name)
            return completion._replace(native=body, dropped=())
        return parse_completion(body, sent, signatures=self.signatures, provider=self.name)

    def stream_parser(self, sent: UpstreamRequest) -> StreamParser:
        if sent.context is NATIVE:
            parsed = sent._replace(context={})
            return NativeStream(
                ClaudeStream(parsed, signatures=self.signatures, provider=self.name, key=self.endpoint.api_key)
            )
        return ClaudeStream(sent, signatures=self.signatures, provider=self.name, key=self.endpoint.api_key)

    def usage(self, raw: object) -> Usage | None:
        return parse_usage(raw)

    def least_cached(self, model: str) -> int | None:
        return profile_of(model).least_cached

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return parse_error_response(status, headers, body, provider=self.name, key=self.endpoint.api_key)
