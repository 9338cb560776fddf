"""Google's Gemini API: generateContent and streamGenerateContent behind the provider interface."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import count
from typing import Any

from gateway.completion import ChatRequest, Completion, UpstreamRequest
from gateway.errors import UpstreamError
from gateway.providers.base import Provider, SignatureCache, StreamParser, UpstreamEndpoint
from gateway.providers.gemini.answer import GeneratedCallIds
from gateway.providers.gemini.errors import error_in, error_of
from gateway.providers.gemini.profiles import profile_of
from gateway.providers.gemini.request import RequestContext, body_of, url_of
from gateway.providers.gemini.response import completion_of
from gateway.providers.gemini.stream import GeminiStream

ASKED = "asked"


class Gemini(Provider):
    """Gemini, with what each of its generations takes in `profiles`."""

    name = "gemini"
    max_request_bytes = 100 * 1024 * 1024  # with inline files: https://ai.google.dev/gemini-api/docs/file-input-methods

    def __init__(
        self, endpoint: UpstreamEndpoint, *, name: str | None = None, signatures: SignatureCache | None = None
    ) -> None:
        super().__init__(endpoint, name=name, signatures=signatures)
        self._numbers = count(1)

    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest:
        body, asked = body_of(request, profile=profile_of(model), kept=self.signatures, number=next(self._numbers))
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=url_of(self.endpoint.base_url, model=model, stream=request.stream),
            headers=self.headers,
            json=body,
            stream=request.stream,
            context={ASKED: asked},
        )

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What opens the endpoint; one object for all requests, so that the transport writes it out once."""
        return {
            **self.endpoint.headers,
            "content-type": "application/json",
            "x-goog-api-key": self.endpoint.api_key,
        }

    def parse_response(self, body: Mapping[str, Any], sent: UpstreamRequest) -> Completion:
        error = error_in(body, provider=self.name, key=self.endpoint.api_key)
        if error is not None:
            raise error
        asked, ids = _reading(sent)
        return completion_of(body, asked=asked, ids=ids, kept=self.signatures, provider=self.name)

    def stream_parser(self, sent: UpstreamRequest) -> StreamParser:
        asked, ids = _reading(sent)
        return GeminiStream(asked=asked, ids=ids, kept=self.signatures, provider=self.name, key=self.endpoint.api_key)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return error_of(status, headers, body, provider=self.name, key=self.endpoint.api_key)


def _reading(sent: UpstreamRequest) -> tuple[RequestContext, GeneratedCallIds]:
    """How to read the answer to just this request; one that we did not build is read plainly."""
    asked = sent.context.get(ASKED)
    if not isinstance(asked, RequestContext):
        asked = RequestContext()
    return asked, GeneratedCallIds(sent, number=asked.number)
