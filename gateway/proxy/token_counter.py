"""Counts the tokens of a prompt: by its provider where that is free and exact, else by the gateway's own estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import orjson

from gateway.accounts.virtual_keys import VirtualKey
from gateway.catalog.catalog import Auto, Catalog, Pinned
from gateway.catalog.model_effort import split_effort
from gateway.completion import ChatRequest, UpstreamRequest, count
from gateway.errors import (
    Forbidden,
    NotFound,
    UpstreamAuth,
    UpstreamError,
    UpstreamInvalidResponse,
    UpstreamModelNotFound,
)
from gateway.json_body import parse_answer
from gateway.long_json import dumps
from gateway.providers.base import Provider
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.proxy.upstream import ERROR_BODY_LIMIT
from gateway.routing import prompt_tokens_of
from gateway.transport import Timeouts, Transport

TIMEOUTS = Timeouts(connect=5.0, first_byte=20.0, idle=20.0, total=30.0)
_NO_SUCH_ROUTE = (404, 405, 501)


class TokenCounter:
    """Counting is free: it makes no row, holds no money and does not route. `providers` are by deployment."""

    def __init__(
        self, catalog: Catalog, providers: Mapping[str, Provider], *, transport: Transport, worker: BodyExecutor
    ) -> None:
        self._catalog = catalog
        self._providers = providers
        self._transport = transport
        self._worker = worker

    async def count(self, request: ChatRequest, *, key: VirtualKey | None) -> int:
        """Raises ModelNotFound, NotFound, Forbidden, and the provider's UpstreamError."""
        target = self._catalog.resolve(request.model, request.bare_provider)
        if isinstance(target, Auto):
            return await self._estimate(request)
        first, *others = self._permitted(target, key)
        return await self._count_at(first, others, request, model=split_effort(target.model)[0])

    async def _count_at(
        self, provider: Provider, others: Sequence[Provider], request: ChatRequest, *, model: str
    ) -> int:
        sent = await self._worker.run(request.size, partial(_encoded, provider, request, model))
        if sent is None:
            return await self._estimate(request)
        try:
            return await self._ask(provider, sent)
        except UpstreamAuth:
            if not others:
                raise
        except UpstreamError as error:
            # A host that speaks Messages need not count; a model that does not exist is an error.
            if error.upstream_status not in _NO_SUCH_ROUTE or isinstance(error, UpstreamModelNotFound):
                raise
            return await self._estimate(request)
        return await self._count_at(others[0], others[1:], request, model=model)  # another key may be accepted

    async def _estimate(self, request: ChatRequest) -> int:
        return await self._worker.run(request.size, partial(prompt_tokens_of, request))

    def _permitted(self, target: Pinned, key: VirtualKey | None) -> list[Provider]:
        """The deployments of the model's provider, where the key may use the model."""
        name = f"{target.provider}/{target.model}"
        if key is not None and (denial := key.denial_reason(name, target.listed)) is not None:
            raise Forbidden(f"{denial}.", param="model", code="model_not_allowed")
        deployments = [provider for provider in self._providers.values() if provider.name == target.provider]
        if not deployments:
            raise NotFound(
                f"The provider {target.provider!r} of {name} is not enabled on this gateway: its key is not set.",
                param="model",
                code="model_not_found",
            )
        return deployments

    async def _ask(self, provider: Provider, sent: UpstreamRequest) -> int:
        response = await self._transport.send(sent, timeouts=TIMEOUTS)
        try:
            body = await response.read(limit=ERROR_BODY_LIMIT)
        finally:
            await response.aclose()
        if not 200 <= response.status < 300:
            raise provider.parse_error(response.status, response.headers, body)
        try:
            counted = parse_answer(body)
        except orjson.JSONDecodeError:
            counted = None
        tokens = count(counted.get("input_tokens")) if isinstance(counted, dict) else None
        if tokens is None:
            raise UpstreamInvalidResponse(f"{provider.name} sent no number of tokens.", provider=provider.name)
        return tokens


def _encoded(provider: Provider, request: ChatRequest, model: str) -> UpstreamRequest | None:
    sent = provider.build_count_request(request, model)
    return sent if sent is None or request.size <= LARGE else sent._replace(encoded=dumps(sent.json))
