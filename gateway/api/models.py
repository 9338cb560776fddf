"""`GET /v1/models`: the available models, `auto` first, in OpenAI's format, or in Anthropic's for its clients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.accounts.virtual_keys import VirtualKey
from gateway.api.auth import Principal
from gateway.catalog.catalog import Auto, Catalog, Model
from gateway.dialects.messages import AUTO_ALIAS, model_name
from gateway.errors import ModelNotFound

AUTO_NAMES = ("auto", "auto:cheap", "auto:balanced", "auto:quality")


class ModelList:
    """The catalogue's models of the enabled providers that the caller's key may use."""

    def __init__(self, catalog: Catalog, *, providers: Collection[str]) -> None:
        self._catalog = catalog
        self._providers = providers

    async def list(self, request: Request) -> Response:
        key = _key(request)
        enabled = [model for model in self._catalog if model.provider in self._providers]
        models = enabled if key is None else key.allowed(enabled)
        if _wants_anthropic(request):
            return JSONResponse(_anthropic_list(models))
        return JSONResponse({"object": "list", "data": [*map(_auto, AUTO_NAMES), *map(_entry, models)]})

    async def get(self, request: Request) -> Response:
        name = request.path_params["model"]
        anthropic = _wants_anthropic(request)
        target = self._catalog.resolve(model_name(name) if anthropic else name)
        if isinstance(target, Auto):
            return JSONResponse(_anthropic_auto(name) if anthropic else _auto(name))
        if target.listed is None or target.provider not in self._providers or not _may_use(request, target.listed):
            raise ModelNotFound(
                f"The model {name!r} is not listed here. GET /v1/models lists those that are.", param="model"
            )
        return JSONResponse(_anthropic_entry(target.listed) if anthropic else _entry(target.listed))


def _wants_anthropic(request: Request) -> bool:
    return "anthropic-version" in request.headers


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


def _anthropic_list(models: Sequence[Model]) -> dict[str, Any]:
    """One page with everything: https://platform.claude.com/docs/en/api/models-list"""
    entries = [*map(_anthropic_auto, (*AUTO_NAMES, AUTO_ALIAS)), *map(_anthropic_entry, models)]
    return {"data": entries, "has_more": False, "first_id": entries[0]["id"], "last_id": entries[-1]["id"]}


def _anthropic_auto(name: str) -> dict[str, Any]:
    return _anthropic_model(name, created=0, context_window=None, max_output=None)


def _anthropic_entry(model: Model) -> dict[str, Any]:
    return _anthropic_model(
        model.full_name, created=model.created, context_window=model.context_window, max_output=model.max_output
    )


def _anthropic_model(name: str, *, created: int, context_window: int | None, max_output: int | None) -> dict[str, Any]:
    """`created` is in Unix seconds; Anthropic's own value for an unknown date is the epoch too."""
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": context_window,
        "max_tokens": max_output,
    }
