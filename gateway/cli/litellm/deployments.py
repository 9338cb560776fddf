"""LiteLLM's `model_list`: each deployment becomes a name of a model, and the upstream that serves it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.catalog import PriceTable
from gateway.catalog.catalog import ID, PREFIXES, TRADEOFFS
from gateway.cli.litellm.report import Fate, ReportEntry
from gateway.cli.litellm.upstreams import NO_KEY, UpstreamRow, UpstreamRows, variable_of
from gateway.cli.litellm.vendors import INSTEAD, OTHERWISE, VENDORS, split
from gateway.settings.upstreams import base_url_problem

Place = tuple[str | int, ...]
_MODES = (None, "chat", "completion", "embedding", "responses")
_OWN_NAMES = ("auto", *(f"auto:{name}" for name in TRADEOFFS))
# Parameters of a deployment that the report explains; those that are read elsewhere are not among them.
_PARAMETERS: Mapping[str, tuple[Fate, str]] = {
    **dict.fromkeys(
        ("rpm", "tpm"),
        ("not supported", "limits are for keys (`gateway keys create --rpm`); a provider's 429 is waited for"),
    ),
    **dict.fromkeys(("weight", "order"), ("not needed", "a name stands for one model; `auto` chooses among several")),
    **dict.fromkeys(("max_retries", "num_retries"), ("not supported", "`max_attempts` is for all models together")),
    **dict.fromkeys(
        ("extra_headers", "headers", "organization"),
        ("not supported", "write `headers` in the provider's row; they are not copied, because they may hold secrets"),
    ),
    **dict.fromkeys(
        ("temperature", "top_p", "max_tokens", "seed", "extra_body", "additional_drop_params", "thinking"),
        ("not supported", "the client has to send it: the gateway adds nothing to requests"),
    ),
    **dict.fromkeys(
        ("max_budget", "budget_duration"),
        ("not supported", "budgets are for keys (`gateway keys create --budget`) or for all (`daily_budget_usd`)"),
    ),
    **dict.fromkeys(("drop_params", "use_in_pass_through"), ("not needed", "it is always so, or has no meaning here")),
    "tags": ("not supported", "tags choose no model here; `routing.tags` of a request labels it for reports"),
}
_READ = {"model", "api_key", "api_base", "base_url", "timeout", "stream_timeout", "litellm_credential_name"}
_COSTS = {"input_cost_per_token": "input", "output_cost_per_token": "output"}


class DeploymentReader:
    """Reads the deployments one after the other. `aliases` are what the names stand for, `variables` the keys to set, with a note."""

    def __init__(self, prices: PriceTable, *, now: datetime, credentials: Mapping[str, Mapping[str, Any]]) -> None:
        self.upstreams = UpstreamRows()
        self.aliases: dict[str, str] = {}
        self.served: dict[str, str] = {}  # the full name of each `model_name`
        self._prices = prices
        self._now = now
        self._credentials = credentials

    def read(self, deployment: Any, place: str) -> Iterator[ReportEntry]:
        """What became of one deployment; `place` is where it stands."""
        found = self._parts(deployment)
        if found is None:
            yield ReportEntry(place, "not supported", "it has no `model_name` and `litellm_params.model`")
            return
        name, parameters, info = found
        place = f"{place} {name}"
        model = parameters["model"]
        if model.startswith(("auto_router/", "complexity_router/")):
            yield self._alias(
                place, name, "auto", "changed", "the gateway's `auto` decides instead of LiteLLM's router"
            )
            return
        if (mode := info.get("mode")) not in _MODES:
            yield ReportEntry(place, "not supported", f"the gateway has no API for {mode}; keep LiteLLM for it")
            return
        if name == model == "*":
            yield ReportEntry(
                place,
                "changed",
                "clients name models in full: `claude/<id>`, `gemini/<id>`, `openrouter/<vendor>/<id>`",
            )
            return
        prefix, model_id = split(model)
        if prefix not in VENDORS:
            yield ReportEntry(place, "not supported", f"{model}: {INSTEAD.get(prefix, OTHERWISE)}")
            return
        base = parameters.get("api_base") or parameters.get("base_url")
        if problem := _base_problem(prefix, base):
            yield ReportEntry(place, "not supported", problem)
            return
        wish = name.removesuffix("/*") if name.endswith("/*") else None
        row = self.upstreams.row(
            prefix,
            base,
            key_variable=(variable := _key_variable(prefix, parameters, base)),
            wish=wish if wish and re.fullmatch(r"[a-z0-9][a-z0-9_-]*", wish) else None,
        )
        yield self._named(place, name, model_id, row)
        yield from self._details(place, parameters, info, row=row, variable=variable, model_id=model_id)

    def _parts(self, deployment: Any) -> tuple[str, Mapping[str, Any], Mapping[str, Any]] | None:
        if not isinstance(deployment, Mapping):
            return None
        name, parameters = deployment.get("model_name"), deployment.get("litellm_params")
        if not (isinstance(name, str) and isinstance(parameters, Mapping) and isinstance(parameters.get("model"), str)):
            return None
        credential = self._credentials.get(str(parameters.get("litellm_credential_name")), {})
        info = deployment.get("model_info")
        return name, {**credential, **parameters}, info if isinstance(info, Mapping) else {}

    def _named(self, place: str, name: str, model_id: str, row: UpstreamRow) -> ReportEntry:
        """The alias that the deployment's name becomes, if it needs one."""
        if "*" in name or "*" in model_id:
            start = name.removesuffix("/*")
            if model_id == "*" and PREFIXES.get(start, start) == row.name:
                return ReportEntry(place, "taken over", f"every model of {row.name} by its full name, {row.name}/<id>")
            return ReportEntry(
                place, "changed", f"aliases have no wildcards: clients write the full name, {row.name}/<id>"
            )
        if not ID.fullmatch(model_id):
            return ReportEntry(place, "not supported", f"{model_id!r} has characters that no id of a model has")
        target = f"{row.name}/{model_id}"
        if name in self.served and self.served[name] != target:
            return ReportEntry(
                place,
                "changed",
                f"{name} stays {self.served[name]}: a name stands for one model. {target} can be named, and `auto` chooses "
                "among several",
            )
        if name in self.served:
            return ReportEntry(place, "taken over", f"another key for {target}")
        return self._alias(place, name, target, "taken over", "")

    def _alias(self, place: str, name: str, target: str, fate: Fate, note: str) -> ReportEntry:
        if name in _OWN_NAMES:
            text = f"{name} is the gateway's own name, which routes; clients of this one need {target}"
            return ReportEntry(place, "changed", text)
        self.served.setdefault(name, target)
        if _same(name, target):
            return ReportEntry(place, fate, f"the same name here, {target}")
        self.aliases.setdefault(name, target)
        return ReportEntry(place, fate, f"alias {name}: {target}" + (f"; {note}" if note else ""))

    def _details(
        self,
        place: str,
        parameters: Mapping[str, Any],
        info: Mapping[str, Any],
        *,
        row: UpstreamRow,
        variable: str | None,
        model_id: str,
    ) -> Iterator[ReportEntry]:
        """What the deployment says besides the model."""
        key = parameters.get("api_key")
        if variable is not None and key is not None and variable_of(key) is None:
            text = f"the key stands in the file and is not copied: set {variable} to it"
            yield ReportEntry(f"{place}: api_key", "changed", text)
        if variable is not None and variable != row.key_variables[0]:
            text = f"set {row.key_variables[0]} to all keys of {row.name}, separated by commas: also that of {variable}"
            yield ReportEntry(f"{place}: api_key", "changed", text)
        yield from _limits(place, parameters, row)
        costs = {ours: parameters.get(theirs, info.get(theirs)) for theirs, ours in _COSTS.items()}
        if any(isinstance(cost, int | float) for cost in costs.values()):
            figures = ", ".join(f"{kind}: {_per_million(cost)}" for kind, cost in costs.items())
            text = f"write a row in models.yaml (id, provider, tier), with `prices: {{{figures}}}`; `auto` then chooses it too"
            yield ReportEntry(f"{place}: prices", "not supported", text)
        elif "*" not in model_id and self._prices.price(row.name, model_id, self._now) is None:
            text = "the price is not known, so the cost of its requests is null; a row in models.yaml can give `prices`"
            yield ReportEntry(f"{place}: prices", "not supported", text)
        for parameter in sorted({*parameters} - _READ - {*_COSTS}):
            fate, text = _PARAMETERS.get(parameter, ("not supported", "the gateway has no such parameter of a model"))
            yield ReportEntry(f"{place}: {parameter}", fate, text)


def _base_problem(prefix: str, base: Any) -> str | None:
    """Why an upstream cannot be made of an `api_base`."""
    if base is None:
        return None if VENDORS[prefix].base_url else f"{prefix} needs an `api_base`"
    if variable_of(base):
        return None
    return f"api_base: {base_url_problem(str(base))}" if base_url_problem(str(base)) else None


def _key_variable(prefix: str, parameters: Mapping[str, Any], base: Any) -> str | None:
    """The variable for the key of a deployment; None where the server needs none."""
    key, vendor = parameters.get("api_key"), VENDORS[prefix]
    if variable := variable_of(key):
        return variable
    if key is not None and str(key).strip().lower() in NO_KEY:
        return None
    own_address = base is None or variable_of(base) is not None or vendor.kind != "openai"
    if key is None:
        return vendor.key_variable if own_address else None
    return vendor.key_variable if own_address and vendor.key_variable else f"{prefix.upper()}_API_KEY"


def _limits(place: str, parameters: Mapping[str, Any], row: UpstreamRow) -> Iterator[ReportEntry]:
    """Time limits of a deployment, which become those of its provider unless another deployment has set them."""
    for theirs, ours in (("timeout", "total"), ("stream_timeout", "stream")):
        seconds = parameters.get(theirs)
        if not isinstance(seconds, int | float) or not 0 < seconds <= 86_400:
            continue
        if row.timeouts.setdefault(ours, seconds) == seconds:
            yield ReportEntry(f"{place}: {theirs}", "changed", f"timeouts.{ours} of all models of {row.name}")
        else:
            text = f"{row.name} has timeouts.{ours} {row.timeouts[ours]} already; a row in models.yaml can have its own"
            yield ReportEntry(f"{place}: {theirs}", "not supported", text)


def _per_million(cost: Any) -> str:
    return f"{cost * 1e6:.10g}" if isinstance(cost, int | float) else "0"


def _same(name: str, target: str) -> bool:
    """Whether a full name of LiteLLM's is one here too."""
    prefix, slash, rest = name.partition("/")
    return bool(slash) and f"{PREFIXES.get(prefix, prefix)}/{rest}" == target
