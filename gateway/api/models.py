"""`GET /v1/models`: the available models in OpenAI's format, `auto` first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.accounts.virtual_keys import VirtualKey
from gateway.api.auth import Principal
from gateway.catalog.catalog import Auto, Catalog, Model
from gateway.errors import ModelNotFound

AUTO_NAMES = ("auto", "auto:cheap", "auto:balanced", "auto:quality")


class ModelList:
    """The catalogue's models of the enabled providers that the caller's key may use."""

    def __init__(self, catalog: Catalog, *, providers: Collection[str]) -> None:
        self._catalog = catalog
        self._providers = providers

    async def list(self, request: Request) -> Response:
        routed = [_auto(name) for name in AUTO_NAMES]
        key = _key(request)
        enabled = [model for model in self._catalog if model.provider in self._providers]
        models = [_entry(model) for model in (enabled if key is None else key.allowed(enabled))]
        return JSONResponse({"object": "list", "data": [*routed, *models]})

    async def get(self, request: Request) -> Response:
        name = request.path_params["model"]
        target = self._catalog.resolve(name)
        if isinstance(target, Auto):
            return JSONResponse(_auto(name))
        if target.listed is None or target.provider not in self._providers or not _may_use(request, target.listed):
            raise ModelNotFound(
                f"The model {name!r} is not listed here. GET /v1/models lists those that are.", param="model"
            )
        return JSONResponse(_entry(target.listed))


def _key(request: Request) -> VirtualKey | None:
    principal: Principal = request.scope["principal"]
    return principal.key


def _may_use(request: Request, model: Model) -> bool:
    key = _key(request)
    return key is None or bool(key.allowed([model]))


def _auto(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "gateway"}


def _entry(model: Model) -> dict[str, Any]:
    """OpenAI's members, then OpenRouter's names for the rest; prices are USD per token, as text."""
    prices = {"prompt": model.input_price, "completion": model.output_price, "input_cache_read": model.cache_read_price}
    return {
        "id": model.full_name,
        "object": "model",
        "created": model.created,
        "owned_by": model.provider,
        "context_length": model.context_window,
        "max_completion_tokens": model.max_output,
        "tier": model.tier,
        "abilities": sorted(model.abilities) if model.abilities is not None else None,
        "pricing": {kind: f"{price / 1e6:.12f}".rstrip("0") for kind, price in prices.items() if price is not None},
    }
