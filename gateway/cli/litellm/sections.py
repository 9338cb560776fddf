"""LiteLLM's `router_settings`, `litellm_settings` and `general_settings`: what each key is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.accounts.budgets import usd
from gateway.cli.litellm.durations import WINDOW_SECONDS, seconds_of
from gateway.cli.litellm.report import Fate, ReportEntry
from gateway.cli.litellm.upstreams import variable_of

SECTIONS = ("router_settings", "litellm_settings", "general_settings")
MAX_ATTEMPTS = 3
_FALLBACKS = (
    "a model that is named has no other; where one may stand in for another, point the alias to `auto`, which fails over "
    "between models"
)
_CALLBACK = "no callbacks; `/metrics` is for Prometheus, `gateway export` and /v1/routing/requests have every row"
_NO_STATE = "replicas share the ledger and need nothing else"
_KEYS = "`gateway import litellm-keys` makes new keys from an export of the table of keys"
_TEXTS: Mapping[str, tuple[Fate, str]] = {
    "fallbacks": ("not supported", _FALLBACKS),
    "default_fallbacks": ("not supported", _FALLBACKS),
    "content_policy_fallbacks": ("not supported", _FALLBACKS),
    "context_window_fallbacks": (
        "changed",
        "`auto` leaves out models whose context window is too small; a model that is named has no other",
    ),
    "routing_strategy": ("not needed", "a name stands for one model here; the model `auto` chooses among several"),
    "routing_strategy_args": ("not needed", "`auto` learns from outcomes"),
    "enable_pre_call_checks": ("not needed", "`auto` always checks context windows and abilities"),
    "allowed_fails": ("not needed", "what rests after failures, and for how long, is fixed (docs/running.md)"),
    "allowed_fails_policy": ("not needed", "what rests after failures, and for how long, is fixed (docs/running.md)"),
    "cooldown_time": ("not needed", "what rests after failures, and for how long, is fixed (docs/running.md)"),
    "disable_cooldowns": ("not needed", "resting models are tried last, never left out"),
    "retry_policy": ("not needed", "what is retried is fixed (docs/running.md)"),
    "retry_after": ("not needed", "a provider's Retry-After is obeyed"),
    "enable_tag_filtering": ("not supported", "tags choose no model here; `routing.models` of a request limits `auto`"),
    "drop_params": ("not needed", "hints that a model cannot take are dropped; what would change the answer is a 400"),
    "modify_params": ("not needed", "requests are translated for each provider"),
    "cache": ("not supported", "answers are not cached; the providers' prompt caches are used"),
    "cache_params": ("not supported", "answers are not cached; the providers' prompt caches are used"),
    "success_callback": ("not supported", _CALLBACK),
    "failure_callback": ("not supported", _CALLBACK),
    "callbacks": ("not supported", _CALLBACK),
    "service_callback": ("not supported", _CALLBACK),
    "service_callbacks": ("not supported", _CALLBACK),
    "turn_off_message_logging": ("not needed", "prompts and answers are never logged"),
    "store_prompts_in_spend_logs": ("not supported", "rows of the ledger never hold prompts or answers"),
    "disable_spend_logs": ("not supported", "every request has a row; `gateway prune` deletes old ones"),
    "maximum_spend_logs_retention_period": (
        "changed",
        "run `gateway prune --older-than` regularly; at least 31 days stay",
    ),
    "set_verbose": ("not needed", "the log has one line for each request"),
    "json_logs": ("not needed", "the log has one line for each request"),
    "database_url": (
        "changed",
        "a new ledger: SQLite, or PostgreSQL in GATEWAY_DB. LiteLLM's tables are not read. " + _KEYS,
    ),
    "store_model_in_db": (
        "not supported",
        "models that stand only in LiteLLM's database are not in this file: add them",
    ),
    "alerting": ("changed", "write `webhooks` in gateway.yaml (format `slack`); the URL is a secret and not copied"),
    "alerting_threshold": ("not needed", "alerts have fixed thresholds (docs/metrics.md)"),
    "background_health_checks": ("not needed", "health is what real requests say of an upstream"),
    "health_check_interval": ("not needed", "health is what real requests say of an upstream"),
    "custom_auth": ("not supported", "clients have the keys of GATEWAY_API_KEY or virtual keys"),
    "enable_jwt_auth": ("not supported", "clients have the keys of GATEWAY_API_KEY or virtual keys"),
    "pass_through_endpoints": ("not supported", "only the documented routes exist"),
    "allow_requests_on_db_unavailable": (
        "changed",
        "`on_ledger_failure: serve` in gateway.yaml, for requests without a budget",
    ),
    "max_parallel_requests": ("not supported", "there is no limit for one model; `limits.in_flight` is for all"),
    "key_generation_settings": ("not needed", "only the command line makes keys"),
    "default_team_settings": ("not supported", "there are no teams: a key for each team is the usual substitute"),
}


class SectionReader:
    """Reads the sections. `settings` are the keys of gateway.yaml that they become, `variables` those to set, with a note."""

    def __init__(self, aliases: dict[str, str], served: Mapping[str, str]) -> None:
        self.settings: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        self._aliases = aliases
        self._served = served
        self._readers: Mapping[str, Callable[[Any, str], Iterator[ReportEntry]]] = {
            "model_group_alias": self._group_aliases,
            "num_retries": self._retries,
            "timeout": self._total,
            "request_timeout": self._total,
            "stream_timeout": self._stream,
            "master_key": self._master_key,
            "global_max_parallel_requests": self._in_flight,
            "max_request_size_mb": self._body_size,
        }

    def read(self, section: Mapping[str, Any], at: Callable[[str], str]) -> Iterator[ReportEntry]:
        """What became of each key of one section; `at` says where a key stands."""
        yield from self._budget(section, at)
        for key, value in section.items():
            name = str(key)
            if name in ("max_budget", "budget_duration"):
                continue
            if name in self._readers:
                yield from self._readers[name](value, at(name))
            elif name.startswith("redis"):
                yield ReportEntry(at(name), "not needed", _NO_STATE)
            else:
                fate, text = _TEXTS.get(
                    name, ("not supported", "the gateway has no such setting (docs/configuration.md)")
                )
                yield ReportEntry(at(name), fate, text)

    def _group_aliases(self, value: Any, place: str) -> Iterator[ReportEntry]:
        for alias, given in (value if isinstance(value, Mapping) else {}).items():
            group = given.get("model") if isinstance(given, Mapping) else given
            target = self._served.get(str(group))
            if target is None:
                yield ReportEntry(f"{place} {alias}", "not supported", f"{group} is not served")
            else:
                self._aliases.setdefault(str(alias), target)
                yield ReportEntry(f"{place} {alias}", "taken over", f"alias {alias}: {target}")

    def _retries(self, value: Any, place: str) -> Iterator[ReportEntry]:
        if isinstance(value, int):
            attempts = min(MAX_ATTEMPTS, max(1, value + 1))
            self.settings["max_attempts"] = attempts
            yield ReportEntry(
                place, "changed", f"max_attempts: {attempts}, the first call included (at most {MAX_ATTEMPTS})"
            )
        else:
            yield _no_number(place, "max_attempts")

    def _total(self, value: Any, place: str) -> Iterator[ReportEntry]:
        return self._timeout(value, place, "total")

    def _stream(self, value: Any, place: str) -> Iterator[ReportEntry]:
        return self._timeout(value, place, "stream")

    def _timeout(self, value: Any, place: str, limit: str) -> Iterator[ReportEntry]:
        if isinstance(value, int | float) and 0 < value <= 86_400:
            chosen = self.settings.setdefault("timeouts", {}).setdefault(limit, value)
            fate: Fate = "taken over" if chosen == value else "changed"  # as in LiteLLM, the router's own limit wins
            yield ReportEntry(place, fate, f"timeouts.{limit}: {chosen}")
        else:
            yield _no_number(place, f"timeouts.{limit}")

    def _master_key(self, value: Any, place: str) -> Iterator[ReportEntry]:
        note = f"the value of {variable}" if (variable := variable_of(value)) else "LiteLLM's master key"
        self.variables["GATEWAY_ADMIN_KEY"] = f"{note}, or a new key: for the dashboard, the metrics and the ledger"
        self.variables["GATEWAY_API_KEY"] = (
            "keys of clients, separated by commas; not needed where all have virtual keys"
        )
        text = f"set GATEWAY_ADMIN_KEY to {note}; clients that use it need it in GATEWAY_API_KEY too. {_KEYS}"
        yield ReportEntry(place, "changed", text)

    def _in_flight(self, value: Any, place: str) -> Iterator[ReportEntry]:
        if isinstance(value, int) and value > 0:
            self.settings.setdefault("limits", {})["in_flight"] = value
            yield ReportEntry(place, "taken over", f"limits.in_flight: {value}")
        else:
            yield _no_number(place, "limits.in_flight")

    def _body_size(self, value: Any, place: str) -> Iterator[ReportEntry]:
        if isinstance(value, int | float) and value > 0:
            self.settings.setdefault("limits", {})["body_bytes"] = int(value * 1_000_000)
            yield ReportEntry(place, "taken over", f"limits.body_bytes: {int(value * 1_000_000)}")
        else:
            yield _no_number(place, "limits.body_bytes")

    def _budget(self, section: Mapping[str, Any], at: Callable[[str], str]) -> Iterator[ReportEntry]:
        """The budget of the whole proxy. Here such a budget is for a day."""
        most, period = section.get("max_budget"), section.get("budget_duration")
        if not isinstance(most, int | float) or most <= 0:
            return
        seconds = seconds_of(period)
        days = 0.0 if seconds is None else seconds / WINDOW_SECONDS["day"]
        if days == 1:
            self.settings["daily_budget_usd"] = float(most)
            yield ReportEntry(at("max_budget"), "taken over", f"daily_budget_usd: {most}")
            return
        equal = f"; as much by the day is {usd(int(most / days * 1e9))}" if days > 0 else ""
        text = f"the budget of all requests is for a UTC day (`daily_budget_usd`){equal}. Keys can have budgets by month or in total"
        yield ReportEntry(at("max_budget"), "not supported", text)


def _no_number(place: str, setting: str) -> ReportEntry:
    return ReportEntry(
        place, "not supported", f"the value is no number within the limits of `{setting}`: set it yourself"
    )
