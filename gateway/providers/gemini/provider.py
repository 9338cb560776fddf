"""The provider for Google's Gemini API: generateContent, streamGenerateContent and batchEmbedContents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import count
from typing import Any

from gateway.completion import ChatRequest, Completion, UpstreamRequest, Usage
from gateway.embeddings import EmbeddingRequest, Embeddings
from gateway.errors import UpstreamError
from gateway.providers.base import Provider, SignatureCache, StreamParser, UpstreamEndpoint
from gateway.providers.gemini.answer import GeneratedCallIds
from gateway.providers.gemini.embeddings import MAX_BATCH, build_embeddings, embeddings_url, parse_embeddings
from gateway.providers.gemini.errors import find_error, parse_error_response
from gateway.providers.gemini.profiles import profile_of
from gateway.providers.gemini.request import RequestContext, build_body, request_url
from gateway.providers.gemini.response import parse_completion
from gateway.providers.gemini.stream import GeminiStream
from gateway.providers.gemini.usage import parse_usage

CONTEXT_KEY = "gemini"
INPUTS_KEY, SHORTENED_KEY = "inputs", "shortened"  # of an embeddings call


class Gemini(Provider):
    """Gemini; the capabilities of each generation are in `profiles`."""

    name = "gemini"
    max_request_bytes = 100 * 1024 * 1024  # with inline files: https://ai.google.dev/gemini-api/docs/file-input-methods
    max_embedding_inputs = MAX_BATCH

    def __init__(
        self, endpoint: UpstreamEndpoint, *, name: str | None = None, signatures: SignatureCache | None = None
    ) -> None:
        super().__init__(endpoint, name=name, signatures=signatures)
        self._numbers = count(1)

    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest:
        body, context = build_body(
            request, profile=profile_of(model), signature_cache=self.signatures, number=next(self._numbers)
        )
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=request_url(self.endpoint.base_url, model=model, stream=request.stream),
            headers=self.headers,
            json=body,
            stream=request.stream,
            context={CONTEXT_KEY: context},
        )

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Request headers with the key; one object for all requests, so that the transport encodes it once."""
        return {
            **self.endpoint.headers,
            "content-type": "application/json",
            "x-goog-api-key": self.endpoint.api_key,
        }

    def build_embedding_request(self, request: EmbeddingRequest, model: str) -> UpstreamRequest:
        return UpstreamRequest(
            provider=self.name,
            model=model,
            url=embeddings_url(self.endpoint.base_url, model),
            headers=self.headers,
            json=build_embeddings(request, model),
            stream=False,
            context={INPUTS_KEY: len(request.inputs), SHORTENED_KEY: request.dimensions is not None},
        )

    def parse_embeddings(self, body: Mapping[str, Any], sent: UpstreamRequest) -> Embeddings:
        self._raise_for_error(body)
        inputs, shortened = sent.context[INPUTS_KEY], sent.context[SHORTENED_KEY]
        return parse_embeddings(body, inputs=inputs, shortened=shortened, provider=self.name)

    def parse_response(self, body: Mapping[str, Any], sent: UpstreamRequest) -> Completion:
        self._raise_for_error(body)
        context, ids = _response_context(sent)
        return parse_completion(body, context=context, ids=ids, signature_cache=self.signatures, provider=self.name)

    def _raise_for_error(self, body: Mapping[str, Any]) -> None:
        error = find_error(body, provider=self.name, key=self.endpoint.api_key)
        if error is not None:
            raise error

    def stream_parser(self, sent: UpstreamRequest) -> StreamParser:
        context, ids = _response_context(sent)
        return GeminiStream(
            context=context, ids=ids, signature_cache=self.signatures, provider=self.name, key=self.endpoint.api_key
        )

    def usage(self, raw: object) -> Usage | None:
        return parse_usage({"usageMetadata": raw})

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return parse_error_response(status, headers, body, provider=self.name, key=self.endpoint.api_key)


def _response_context(sent: UpstreamRequest) -> tuple[RequestContext, GeneratedCallIds]:
    """The context for parsing the response to this request; the default where this provider did not build it."""
    context = sent.context.get(CONTEXT_KEY)
    if not isinstance(context, RequestContext):
        context = RequestContext()
    return context, GeneratedCallIds(sent, number=context.number)
