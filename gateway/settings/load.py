"""Flags, environment and files -> Settings, or every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.accounts.budgets import Budget
from gateway.catalog import PriceTable, nano_dollars
from gateway.catalog.catalog import TRADEOFFS, Catalog
from gateway.catalog.packaged import packaged_file
from gateway.errors import ConfigError
from gateway.observability.webhooks import Webhook
from gateway.settings import environment as env
from gateway.settings.models import (
    baseline_problem,
    catalog_of,
    keys_of,
    own_priced,
    read_prices,
    read_strengths,
    retirement_warnings,
    retirements,
    with_aliases,
)
from gateway.settings.schema import GatewayFile, ModelsFile, ProvidersFile, set_values, validated
from gateway.settings.settings import (
    HOST,
    JudgeSettings,
    Limits,
    ProviderSettings,
    ResponsesSettings,
    Settings,
    TransportSettings,
)
from gateway.settings.telemetry import otel_problems
from gateway.settings.upstreams import enabled_providers
from gateway.settings.yaml_file import ConfigProblems, YamlFile, read_document, with_current_value
from gateway.transport import TimeLimits

DEFAULT_CONFIG = Path("config/gateway.yaml")
OLD_ENGINES = {"lean": "builtin", "reference": "httpx"}  # values of `transport.engine` before they were renamed
PLAIN = (
    "host",
    "port",
    "workers",
    "db",
    "durability",
    "baseline",
    "holdback",
    "holdback_daily_usd",
    "quality_floor",
    "max_attempts",
    "mode",
    "cascade",
    "keep_alive",
    "prompt_caching",
    "allowed_hosts",
    "cors_origins",
    "record_features",
    "store_content",
    "content_retention_days",
    "tag_header",
    "corroborating_keys",
    "on_ledger_failure",
    "telemetry",
    "metrics_key_labels",
    "metrics_tag_labels",
    "drain_delay",
    "grace",
)


def load(
    environment: Mapping[str, str],
    *,
    host: str | None = None,
    port: int | None = None,
    config: Path | str | None = None,
    db: str | None = None,
    workers: int | None = None,
    now: datetime | None = None,
) -> Settings:
    """The settings from flags, environment, files and defaults, in this order of precedence.

    Prices are those of `now` (default: the present). Raises ConfigError with all problems.
    """
    config_problems = ConfigProblems(warnings=env.misspelt(environment))
    path = config_path(config or env.value(environment, "GATEWAY_CONFIG"))
    document = read_document(path, config_problems)
    document = with_current_value(document, ("transport", "engine"), OLD_ENGINES, config_problems)
    file = validated(document, GatewayFile, config_problems) or GatewayFile()
    flags = {"host": host, "port": port, "db": db, "workers": workers}
    variables = _variables(environment, config_problems)
    plain, sources = _chosen(file, document, variables=variables, flags=flags)
    if sources.get("db") == "GATEWAY_DB":
        sources["db"] = env.origin(environment, "GATEWAY_DB")
    keys = env.client_keys(environment, config_problems)
    _check_listening(plain.get("host", HOST), secured=bool(keys), config_problems=config_problems)
    _check_allowed_hosts(plain.get("allowed_hosts", ()), document, secured=bool(keys), config_problems=config_problems)
    _check_db(plain.get("db", ""), config_problems)
    if plain.get("telemetry") == "otel":
        config_problems.problems += [document.problem(("telemetry",), each) for each in otel_problems(environment)]
    upstream = _upstream(file, document, environment, now=now or datetime.now(UTC), config_problems=config_problems)
    proxies = env.proxies(environment, upstream.providers, config_problems)
    admin_key = env.admin_key(environment, config_problems)
    if config_problems.problems:
        raise ConfigError(config_problems.problems)
    return Settings(
        catalog=upstream.catalog,
        prices=upstream.prices,
        providers=upstream.providers,
        config=path,
        tradeoffs=upstream.tradeoffs,
        client_keys=keys,
        admin_key=admin_key,
        proxies=proxies,
        transport=TransportSettings(**set_values(file.transport)),
        timeouts=TimeLimits(**set_values(file.timeouts)),
        model_timeouts=upstream.model_timeouts,
        limits=Limits(**set_values(file.limits)),
        responses=ResponsesSettings(**set_values(file.responses)),
        daily_budget=_daily_budget(file),
        retirements=upstream.retirements,
        webhooks=tuple(Webhook(**set_values(row)) for row in file.webhooks or ()),
        judge=None if file.judge is None else JudgeSettings(**set_values(file.judge)),
        sources=sources,
        warnings=tuple(config_problems.warnings),
        **plain,
    )


def config_path(given: Path | str | None) -> Path:
    """The file that is named, else `config/gateway.yaml` here, else the one that ships with the gateway."""
    if given:
        return Path(given)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else packaged_file("gateway.yaml")


def files_of(config: Path) -> tuple[Path, ...]:
    """The files that settings are made of, whether they are there or not: `config` and those that may stand beside it."""
    return (config, *(config.parent / name for name in ("providers.yaml", "models.yaml", "prices.json")))


def _variables(environment: Mapping[str, str], config_problems: ConfigProblems) -> dict[str, Any]:
    return {
        "host": env.value(environment, "GATEWAY_HOST"),
        "port": env.number(environment, "GATEWAY_PORT", least=0, most=65535, config_problems=config_problems),
        "db": env.secret(environment, "GATEWAY_DB", config_problems),
        "workers": env.number(environment, "GATEWAY_WORKERS", least=1, most=64, config_problems=config_problems),
    }


def _chosen(
    file: GatewayFile, document: YamlFile, *, variables: Mapping[str, Any], flags: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The plain settings that are given somewhere, and where; a variable wins over the file, a flag over both."""
    written = {key: value for key, value in set_values(file).items() if key in PLAIN}
    chosen: dict[str, Any] = {}
    sources: dict[str, str] = {}
    layers: list[tuple[Mapping[str, Any], Callable[[str], str]]] = [
        (written, lambda key: document.at((key,))),
        (variables, lambda key: f"GATEWAY_{key.upper()}"),
        (flags, lambda key: f"--{key}"),
    ]
    for values, source in layers:
        given = {key: value for key, value in values.items() if value is not None}
        chosen |= given
        sources |= {key: source(key) for key in given}
    return chosen, sources


def _check_listening(host: str, *, secured: bool, config_problems: ConfigProblems) -> None:
    if not secured and not env.is_loopback(host):
        config_problems.problems.append(
            f"host {host!r} can be reached from other machines: set GATEWAY_API_KEY to a long random string "
            "(openssl rand -hex 24), or listen on 127.0.0.1"
        )


def _check_allowed_hosts(
    hosts: Sequence[str], document: YamlFile, *, secured: bool, config_problems: ConfigProblems
) -> None:
    """Without client keys every caller that uses an allowed name is accepted, so the name must mean only this machine."""
    reachable = [host for host in hosts if not (env.is_loopback(host) or host.lower().endswith(".localhost"))]
    if reachable and not secured:
        problem = (
            f"{', '.join(map(repr, reachable))} can be called from other machines and nobody needs a key: set GATEWAY_API_KEY to "
            "a long random string (openssl rand -hex 24), with which no host has to be allowed, or take the name away"
        )
        config_problems.problems.append(document.problem(("allowed_hosts",), problem))


def _daily_budget(file: GatewayFile) -> Budget | None:
    """What all requests of a UTC day together may cost."""
    if file.daily_budget_usd is None:
        return None
    return Budget(nano_dollars(Decimal(repr(file.daily_budget_usd))), "day")


def _check_db(db: str, config_problems: ConfigProblems) -> None:
    """The URL of another kind of database may have a password, so it is not quoted."""
    if "://" in db and not db.startswith(("postgresql://", "postgres://")):
        scheme = db.partition("://")[0]
        config_problems.problems.append(
            f"db: {scheme!r} is no database that the gateway knows; give the path of an SQLite file, as gateway.db, or a URL as "
            "postgresql://user:password@host:5432/database"
        )


@dataclass(frozen=True, slots=True)
class _Upstream:
    providers: tuple[ProviderSettings, ...]
    catalog: Catalog
    prices: PriceTable
    tradeoffs: Mapping[str, float]
    model_timeouts: Mapping[tuple[str, str], Mapping[str, float]]
    retirements: Mapping[str, date]


def _upstream(
    file: GatewayFile,
    document: YamlFile,
    environment: Mapping[str, str],
    *,
    now: datetime,
    config_problems: ConfigProblems,
) -> _Upstream:
    """What stands in the files beside gateway.yaml, or in the packaged ones of their names, and its names for it."""
    before = len(config_problems.problems)
    rows = read_document(_companion(document.path, "providers.yaml"), config_problems)
    providers = validated(rows, ProvidersFile, config_problems) or ProvidersFile(providers=[])
    listed = read_document(_companion(document.path, "models.yaml"), config_problems)
    models = validated(listed, ModelsFile, config_problems) or ModelsFile(models=[])
    prices = own_priced(
        models, read_prices(document.path.parent / "prices.json", now=now, config_problems=config_problems)
    )
    tradeoffs = {**TRADEOFFS, **(file.tradeoffs or {})}
    names = [row.name for row in providers.providers]
    strengths = (
        {}
        if file.strengths == "off"
        else read_strengths(
            document.path.parent / "strengths.json",
            file.strengths if isinstance(file.strengths, dict) else {},
            document=document,
            listed={"/".join(key) for row in models.models for key in keys_of(row)},
            now=now,
            config_problems=config_problems,
        )
    )
    config_problems.warnings += retirement_warnings(models.models, now=now)
    catalog = catalog_of(
        models,
        listed,
        prices=prices,
        strengths=strengths,
        providers=names,
        tradeoffs=tradeoffs,
        now=now,
        config_problems=config_problems,
    )
    if len(config_problems.problems) == before:
        catalog = with_aliases(catalog, [(listed, models.aliases), (document, file.aliases)], config_problems)
        if file.baseline is not None and (problem := baseline_problem(catalog, file.baseline)):
            config_problems.problems.append(document.problem(("baseline",), problem))
        if file.judge is not None and (problem := baseline_problem(catalog, file.judge.model)):
            config_problems.problems.append(document.problem(("judge", "model"), problem))
    enabled = enabled_providers(providers, rows, environment, config_problems)
    timeouts = {key: set_values(row.timeouts) for row in models.models if row.timeouts for key in keys_of(row)}
    return _Upstream(enabled, catalog, prices, tradeoffs, timeouts, retirements(models.models, now=now))


def _companion(config: Path, name: str) -> Path:
    beside = config.parent / name
    return beside if beside.is_file() else packaged_file(name)
