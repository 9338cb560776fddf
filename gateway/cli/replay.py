"""`gateway replay`: what another policy would have done on the recorded requests; no upstream is called."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
import orjson

from gateway.catalog import plain_numbers, usd_text
from gateway.catalog.catalog import Catalog, Model
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.period import PointInTime
from gateway.cli.terminal import echo, interruptible
from gateway.errors import ModelNotFound
from gateway.routing.strategies.recorded import RecordedLimits, recorded_policy
from gateway.savings.replay import PriceChange, Replay
from gateway.savings.replay_report import ReplayFigure, ReplayReport
from gateway.store import Store
from gateway.store.decision_columns import DecisionReader
from gateway.store.decisions import FIRST, LAST, Period

_PAGE = 4096  # rows
_RECORDED = "recorded"  # each decision by the strategy that made it
_LIMITS = ("max_cost", "min_quality", "quality_floor")
_KEYS = "tradeoff, tradeoffs.NAME, max_cost, min_quality, quality_floor, prices.MODEL.input, prices.MODEL.output"


@dataclass(frozen=True, slots=True)
class ReplayChanges:
    """What `--set` changes: trade-offs by the name after `auto:`, limits by name, prices (USD per million) by model and kind."""

    tradeoffs: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    prices: Mapping[tuple[str, str], float] = field(default_factory=dict)


@click.command()
@click.option("--since", type=PointInTime(), help="The first request: 24h, 7d, a date, or a time.")
@click.option("--until", type=PointInTime(), help="The end, not included.")
@click.option("--strategy", metavar="NAME", help="hybrid, complexity, or a model's name: that model for all.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help=f"Change one figure. Keys: {_KEYS}.")
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False), help="Another gateway.yaml, with the files beside it."
)
@READ_DB
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
def replay(
    since: str | None,
    until: str | None,
    strategy: str | None,
    settings: tuple[str, ...],
    config: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Tell what another policy would have cost on the recorded requests, and how good it would have been.

    Decides again on the candidates that each row has, with the estimates of that time. Calls nobody and changes nothing.
    """
    changes = _changes(settings)
    path = ledger_to_read(db)
    now = settings_or_exit(environment())
    then = settings_or_exit(environment(), config=config) if config else now
    catalog = _changed_catalog(then.catalog, changes)
    limits = RecordedLimits(catalog, **changes.limits)
    try:
        policy = recorded_policy(strategy, limits)
    except ModelNotFound as error:
        raise click.BadParameter(
            f"{error.message} Strategies are hybrid and complexity.", param_hint="--strategy"
        ) from None
    run = Replay(
        now=recorded_policy(None, RecordedLimits(now.catalog)),
        then=policy,
        price_change=_price_change(now.catalog, catalog),
    )
    reader = DecisionReader()
    with interruptible(lambda: "A replay changes nothing; --since makes it shorter."), reading(path) as store:
        labels = store.quality_labels()
        for rows in pages(store, Period(since or FIRST, until or LAST)):
            run.add(reader.read(rows, labels), requests=len(rows))
    report = run.report()
    without = [model.full_name for model in catalog if now.catalog.get(*model.key) is None]
    policies: dict[str, Any] = {
        "policy_now": {"strategy": _RECORDED, "config": str(now.config), "tradeoffs": dict(now.catalog.tradeoffs)},
        "policy_then": {
            "strategy": strategy or _RECORDED,
            "config": str(then.config),
            "tradeoffs": dict(catalog.tradeoffs),
            "changes": dict(each.split("=", 1) for each in settings),
            "without_record": without,
        },
    }
    if as_json:
        answer = {**report.to_json(), **policies}
        echo(orjson.dumps(plain_numbers(answer), option=orjson.OPT_INDENT_2).decode())
    else:
        echo("\n".join(_lines(report, path=path, without=without)))


def pages(store: Store, period: Period, *, limit: int = _PAGE) -> Generator[Sequence[tuple[Any, ...]], None, None]:
    """The period's rows, with a progress bar on a terminal. Each page is a read of its own, so a running gateway is not held up."""
    after, count = store.extent(period)
    with click.progressbar(length=count, label="Replaying", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        while rows := store.decisions(period, after=after, limit=limit):
            yield rows
            after = rows[-1][0]
            bar.update(len(rows))


def _changes(settings: Sequence[str]) -> ReplayChanges:
    """Raises BadParameter, which names the setting and what is known."""
    changes = ReplayChanges({}, {}, {})
    for setting in settings:
        key, _, text = setting.partition("=")
        try:
            value = float(text)
        except ValueError:
            raise _bad_setting(setting, "KEY=NUMBER is expected") from None
        name, _, rest = key.partition(".")
        model, _, kind = rest.rpartition(".")
        is_price = name == "prices" and kind in ("input", "output")
        if not 0 <= value <= (float("1e9") if is_price or key == "max_cost" else 1):
            raise _bad_setting(setting, "the value is not from 0 to 1" if not is_price else "a price is from 0 on")
        if key == "tradeoff" or (name == "tradeoffs" and rest):
            changes = replace(changes, tradeoffs={**changes.tradeoffs, rest or "balanced": value})
        elif key in _LIMITS:
            changes = replace(changes, limits={**changes.limits, key: value})
        elif is_price:
            changes = replace(changes, prices={**changes.prices, (model, kind): value})
        else:
            raise _bad_setting(setting, "there is no such key")
    return changes


def _bad_setting(setting: str, problem: str) -> click.BadParameter:
    return click.BadParameter(f"{setting!r}: {problem}. Keys: {_KEYS}.", param_hint="--set")


def _changed_catalog(catalog: Catalog, changes: ReplayChanges) -> Catalog:
    unknown = sorted({name for name in changes.tradeoffs if name not in catalog.tradeoffs})
    if unknown:
        raise _bad_setting(f"tradeoffs.{unknown[0]}", f"there is only {', '.join(catalog.tradeoffs)}")
    models = {model.full_name: model for model in catalog}
    for (name, kind), price in changes.prices.items():
        if name not in models:
            raise _bad_setting(f"prices.{name}.{kind}", f"the catalogue has no model {name!r}")
        model = models[name]
        models[name] = replace(model, input_price=price) if kind == "input" else replace(model, output_price=price)
    return catalog.with_tradeoffs(changes.tradeoffs).with_models(models.values())


def _price_change(before: Catalog, after: Catalog) -> PriceChange | None:
    """None where no model that both list has another price."""

    def prices(model: Model) -> tuple[float, float]:
        return model.input_price, model.output_price

    both = ((before.get(*model.key), model) for model in after)
    changed = {
        new.key: (prices(old), prices(new)) for old, new in both if old is not None and prices(old) != prices(new)
    }
    return PriceChange(changed) if changed else None


def _lines(report: ReplayReport, *, path: str, without: Sequence[str]) -> list[str]:
    usd, share, quality = usd_text, "{:.1%}".format, "{:.3f}".format
    lines = [
        f"{report.requests:,} requests of {path}; {report.usable:,} can be replayed, {report.changed:,} get another model.",
        f"  {'':<10}{'now':>14}{'then':>14}   95 % interval of then",
        _line("spent", report.spent_usd, usd),
        _line("saved", report.saved_share, share),
        _line("quality", report.quality, quality),
    ]
    if report.coverage is not None:
        lines.append(f"Coverage {report.coverage:.1%}, effective sample size {report.effective_sample_size:g}.")
    if report.why_not:
        lines.append(f"Not enough data{'' if report.spent_usd.then is None else ' for the quality'}. {report.why_not}")
    if without:
        lines.append(f"Without a record, so never chosen here: {', '.join(without)}.")
    return lines


def _line(name: str, figure: ReplayFigure, text: Any) -> str:
    now, then, low, high = ("unknown" if each is None else text(each) for each in figure)
    return f"  {name:<10}{now:>14}{then:>14}   {'' if figure.then is None else f'{low} to {high}'}".rstrip()
