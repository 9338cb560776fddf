"""`gateway report`: what was spent, what the baseline would have cost, and what was saved."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import orjson

from gateway.catalog import plain_numbers, usd_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.terminal import echo
from gateway.errors import GatewayError
from gateway.routing import usual_models
from gateway.savings import ReportQuery, ledger_report, moment, odd_baseline
from gateway.savings.hindsight import RATED
from gateway.savings.ledger_report import BY, dimension_of
from gateway.store.opening import ledger_name

SHOWN_ROWS = 10  # of a long table, without --all
# Members of a row that the table leaves out.
_ALWAYS_HIDDEN = ("compared_usd", "saved_enough", "saved_requests_missing")
_HIDDEN = (
    *_ALWAYS_HIDDEN,
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_missed_tokens",
    "lost_to_routing_usd",
)
_HIDDEN_BY_SESSION = (*_ALWAYS_HIDDEN, "errors", "saved_share_low", "saved_share_high")
COUNT, USD, PERCENT = "{}", "$", "{:.1f} %"
SHADOWED: Mapping[str, str] = {
    "shadow_requests": COUNT,
    "same_choice": COUNT,
    "total_cost": USD,
    "total_shadow_cost": USD,
    "total_would_save": USD,
    "would_save_pct": PERCENT,
    "unpriced_requests": COUNT,
}


@click.command()
@click.option("--since", default="30d", show_default=True, help="7d, 36h, or a date.")
@click.option("--until", help="Likewise; now when left out.")
@click.option("--days", type=click.FloatRange(0, 3660, min_open=True), help="The same as --since, in days.")
@click.option("--by", help=f"Break down by {', '.join(BY)}.")
@click.option("--key", "key_id", help="Only requests of the key with this id.")
@click.option("--all", "everything", is_flag=True, help="Long tables in full.")
@click.option("--json", "form", flag_value="json", help="The whole report as JSON.")
@click.option("--csv", "form", flag_value="csv", help="The rows of --by as CSV.")
@click.option("--md", "form", flag_value="md", help="The report as Markdown.")
@click.option("--shadow", is_flag=True, help="What `auto` would have cost in shadow mode.")
@READ_DB
def report(
    since: str,
    until: str | None,
    days: float | None,
    by: str | None,
    key_id: str | None,
    everything: bool,
    form: str | None,
    shadow: bool,
    db: str | None,
) -> None:
    """Sum up spending, baseline and savings."""
    path, now = ledger_to_read(db), datetime.now(UTC)
    name = ledger_name(path)
    settings = settings_or_exit(environment())
    try:
        dimension_of(by)
        query = ReportQuery(
            moment(since, now=now) if days is None else now - timedelta(days=days),
            None if until is None else moment(until, now=now, name="until"),
            by,
            key_id,
        )
        if query.since is not None and query.until is not None and query.until <= query.since:
            ends = f"{_minute(query.until.isoformat())} is not after --since, {_minute(query.since.isoformat())} (UTC)"
            raise click.BadParameter(f"{ends}.", param_hint="--until")
        with reading(path) as store:
            if shadow:
                past = (now - (query.since or now)).total_seconds() / 86_400
                print_shadow(store.shadow(days=max(past, 1e-6)), path=name, as_json=form == "json")
                return
            made = ledger_report(
                store,
                query,
                catalog=settings.catalog,
                prices=settings.prices,
                now=now,
                note=None if settings.baseline is not None else odd_baseline(usual_models(settings.catalog)),
            )
    except GatewayError as error:
        raise click.UsageError(error.message) from None
    if form == "json":
        echo(orjson.dumps(plain_numbers(made), option=orjson.OPT_INDENT_2).decode())
    elif form == "csv":
        echo(as_csv(made["by"]))
    else:
        limit = None if everything else SHOWN_ROWS
        for line in lines(made, path=name, by=by, markdown=form == "md", limit=limit):
            echo(line)


def lines(
    made: Mapping[str, Any], *, path: str, by: str | None = None, markdown: bool = False, limit: int | None = None
) -> list[str]:
    """The report as text: first what matters, then the tables, that of `by` first, cut after `limit` rows."""
    title = f"{path}, {_minute(made['since']) or 'all'} to {_minute(made['until']) or 'now'}"
    head = [
        ("Spent", usd_text(made["spent_usd"])),
        ("Baseline", _baseline(made)),
        ("Saved", _saved(made)),
        ("Quality", _quality(made["quality"])),
        (
            "Requests",
            f"{made['requests']}, {made['routed']} routed, {made['errors']} errors, {made['refused']} refused",
        ),
    ]
    text = [f"# {title}" if markdown else title, ""]
    text += [f"- {name}: {value}" if markdown else f"  {name:<10} {value}" for name, value in head]
    tables: list[tuple[str, Sequence[Mapping[str, Any]]]] = [
        (f"By {by}", made["by"]) if by else ("", ()),
        ("Always one model, on the same tokens (approximate)", made["always"]),
        ("Prompt caches: what could have been read and was not", made["caches"]["misses"]),
        ("Refused before routing", made["refusals"]),
    ]
    evidence = ", ".join(f"{count} {name}" for name, count in made["evidence"].items() if count)
    text += ["", f"{'## ' if markdown else ''}Evidence of the baseline: {evidence or 'none yet'}"]
    for name, rows in tables:
        if rows:
            text += ["", f"{'## ' if markdown else ''}{name}", *table(rows, markdown=markdown, limit=limit)]
        elif name.startswith("By "):
            text += ["", f"{'## ' if markdown else ''}{name}: no request in this period has one"]
    regrets = [
        ("On exploration", usd_text(made["exploration_usd"])),
        ("On the holdback", f"{usd_text(made['holdback_usd'])} more than the routed choices would have cost"),
        ("Lost to our own routing", _lost(made["caches"])),
        ("Best single model in hindsight", _best_single(made["best_single"])),
    ]
    width = max(len(name) for name, _ in regrets)
    text += ["", f"{'## ' if markdown else ''}Of what was spent"]
    text += [f"- {name}: {value}" if markdown else f"  {name:<{width}}  {value}" for name, value in regrets]
    return [*text, "", made["method"]]


def table(rows: Sequence[Mapping[str, Any]], *, markdown: bool, limit: int | None) -> list[str]:
    """Rows of the same members as aligned columns, cut after `limit`.

    Of the ends of intervals only those of the saved share are shown; by session prompt caches are shown instead.
    """
    left_out = _HIDDEN_BY_SESSION if "session" in rows[0] else _HIDDEN
    names = [name for name in rows[0] if not name.endswith(("_low_usd", "_high_usd")) and name not in left_out]
    cells = [[_cell(name, row.get(name)) for name in names] for row in rows[:limit]]
    hidden = len(rows) - len(cells)
    if markdown:
        divider = "|".join("---" for _ in names)
        text = [f"| {' | '.join(names)} |", f"|{divider}|", *(f"| {' | '.join(row)} |" for row in cells)]
        return [*text, *(["", f"and {hidden} more (--all)"] if hidden else [])]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    text = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (names, *cells)
    ]
    return [*(line.rstrip() for line in text), *([f"  and {hidden} more (--all)"] if hidden else [])]


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Every member of the rows; money in USD, without exponents."""
    if not rows:
        return ""
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return written.getvalue().rstrip("\n")


def print_shadow(shadow: Mapping[str, Any], *, path: str, as_json: bool) -> None:
    """What shadow mode recorded."""
    if as_json:
        echo(orjson.dumps(plain_numbers(shadow), option=orjson.OPT_INDENT_2).decode())
        return
    echo(f"Last {shadow['days']:g} days of {path}, requests in shadow mode")
    for name, unit in SHADOWED.items():
        echo(f"  {name:<24} {_with_unit(shadow[name], unit)}")
    for row in shadow["by_model"]:
        name = f"{row['provider']}/{row['model']}"
        saved = _with_unit(row["total_would_save"], USD)
        echo(f"  {name:<48} {row['shadow_requests']:>8}  would save {saved}")


def _minute(moment: str | None) -> str:
    """A time in UTC to the minute."""
    return "" if moment is None else datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _baseline(made: Mapping[str, Any]) -> str:
    names = list(made["baselines"])
    if not names:
        return "unknown"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    interval = f"{usd_text(made['baseline_low_usd'])} to {usd_text(made['baseline_high_usd'])}"
    return f"{usd_text(made['baseline_usd'])} with {names[0]}{more} ({interval})"


def _saved(made: Mapping[str, Any]) -> str:
    if made["saved_share"] is None:
        return "unknown: no request has a known baseline"
    share = f"{usd_text(made['saved_usd'])}, {100 * made['saved_share']:.1f} % of the baseline"
    estimated = ", estimated" if made["evidence"]["modelled"] else ""
    if made["saved_enough"]:
        return f"{share} ({100 * made['saved_share_low']:.1f} to {100 * made['saved_share_high']:.1f} %{estimated})"
    missing = made["saved_requests_missing"]
    more = f"about {missing} more requests" if missing else "the baseline's answers vary too much"
    return f"{share}{estimated}; not enough data yet for an interval, {more}"


def _quality(quality: Mapping[str, Any]) -> str:
    if not quality["enough"]:
        sides = f"{quality['labels_routed']} ratings of routed answers, {quality['labels_baseline']} of held-back ones"
        return f"not enough data yet: {sides}; about {quality['labels_missing']:,} more"
    difference = f"{quality['difference']:+.3f} against the baseline ({quality['low']:+.3f} to {quality['high']:+.3f})"
    return f"{quality['routed']:.3f}, {difference}, {quality['labels']} labels"


def _lost(caches: Mapping[str, Any]) -> str:
    lost = usd_text(caches["lost_to_routing_usd"])
    return f"{lost} of cached prompts, by changes of a conversation's model, of {usd_text(caches['missed_usd'])} missed in all"


def _best_single(best: Mapping[str, Any] | None) -> str:
    if best is None:
        return f"not known: no model with a known price has {RATED} ratings that are as good as all together"
    alone = f"{best['model']}, {usd_text(best['usd'])} at a quality of {best['quality']:.3f}"
    return f"{alone} on the tasks that it got; as routed {usd_text(best['spent_usd'])} at {best['spent_quality']:.3f}"


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{100 * value:.1f} %" if "share" in name else usd_text(value) if "usd" in name else f"{value:.3f}"
    return str(value)


def _plain(value: object) -> object:
    return f"{value:.9f}" if isinstance(value, float) else value


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return "unknown"
    return usd_text(value) if unit == USD else unit.format(value)
