"""`gateway explain`: why a request was answered by its model, and how its cost and its baseline's were calculated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import orjson

from gateway.catalog import plain_numbers, usd_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.terminal import echo
from gateway.savings.explain import explanation

_FEW = 12  # candidates; the rest is counted


@click.command()
@click.argument("request_id")
@READ_DB
@click.option("--all", "show_all", is_flag=True, help=f"Every candidate, not only the first {_FEW}.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, the prompt's features included.")
def explain(request_id: str, db: str | None, show_all: bool, as_json: bool) -> None:
    """Explain one request: the decision, its candidates, the calls, and the arithmetic of the cost.

    REQUEST_ID is the `x-request-id` of the answer.
    """
    path = ledger_to_read(db)
    with reading(path) as store:
        row = store.request(request_id)
    if row is None:
        raise click.ClickException(
            f"The ledger {path} has no request {request_id!r}. Its id is the answer's x-request-id."
        )
    answer = explanation(row, settings_or_exit(environment()).prices)
    if as_json:
        echo(orjson.dumps(plain_numbers(answer), default=str, option=orjson.OPT_INDENT_2).decode())
    else:
        echo("\n".join(_text(answer, most=None if show_all else _FEW)))


def _text(answer: Mapping[str, Any], *, most: int | None) -> Iterator[str]:
    yield from _request(answer)
    yield from _decision(answer["decision"])
    yield from _candidates(answer["candidates"], answer["decision"], most=most)
    yield from _attempts(answer["attempts"])
    yield from _usage(answer["usage"])
    yield from _money(answer)


def _request(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"Request {answer['request_id']}, {answer['timestamp']}"
    state = f"HTTP {answer['http_status']}" if answer["http_status"] else "no HTTP status"
    yield f"  asked for {answer['requested_model'] or 'an unknown model'}; ended {answer['status']} ({state})"
    if answer["error_code"]:
        yield f"  error {answer['error_code']}"
    if answer["feedback"]:
        yield f"  rated {answer['feedback']['score']:g} of 1"
    if answer["tags"]:
        yield f"  tags {', '.join(f'{name}={value}' for name, value in answer['tags'].items())}"


def _decision(decision: Mapping[str, Any]) -> Iterator[str]:
    yield "Decision"
    yield f"  {decision['selected_provider']}/{decision['selected_model']}, by {decision['strategy_used']}"
    if decision["reasoning"]:
        yield f"  {decision['reasoning']}"
    if decision["confidence"]:
        yield f"  confidence {decision['confidence']}{', an experiment' if decision['experimental'] else ''}"
    if decision["propensity"] is not None:
        yield f"  chosen with a probability of {decision['propensity']:.2%}"
    if decision["complexity_score"] is not None:
        yield f"  complexity {decision['complexity_score']:.2f} of 1, pattern {decision['pattern_detected']}"
    if decision["session_kept"] is not None:
        stayed = "stayed with" if decision["session_kept"] else "left"
        yield f"  the conversation {stayed} its model"
    if decision["switch_penalty"] is not None:
        yield f"  leaving the conversation's model costs {_usd(decision['switch_penalty'])} of cached prompt"
    if decision["holdback"]:
        yield "  a random draw sent the conversation to the baseline (holdback)"
    if decision["fallback_used"]:
        yield f"  fallback: {decision['fallback_reason']}"
    if decision["shadow_model"]:
        yield f"  auto would have chosen {decision['shadow_provider']}/{decision['shadow_model']}"


def _candidates(candidates: Sequence[Any], decision: Mapping[str, Any], *, most: int | None) -> Iterator[str]:
    rows = [each for each in candidates if isinstance(each, Mapping)]
    if not rows:
        return
    chosen = (decision["selected_provider"], decision["selected_model"])
    yield "Candidates in the order of failover: expected quality with its standard deviation, expected cost"
    for row in rows[:most]:
        mark = ">" if (row.get("provider"), row.get("model")) == chosen else " "
        facts = [f"{_figure(row.get('quality'))} +/- {_figure(row.get('spread'))}", _usd(row.get("cost"))]
        facts.append(f"{row.get('outcomes') or 0} similar outcomes")
        facts += [f"drawn with {row['propensity']:.2%}"] if row.get("propensity") else []
        facts += ["cooling down"] if row.get("cooling") else []
        yield f" {mark} {row.get('provider')}/{row.get('model')}: {', '.join(facts)}"
    if most is not None and len(rows) > most:
        yield f"   and {len(rows) - most} more (--all)"


def _attempts(attempts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"Calls: {len(attempts)}"
    for each in attempts:
        failed = f", error {each['error']}" if each["error"] else ""
        took = f", {each['duration']:.2f} s" if each["duration"] is not None else ""
        yield f"  {each['number']}. {each['provider']}/{each['model']}: {each['status']}{failed}{took}"
        yield from _lines(each)


def _usage(usage: Mapping[str, Any]) -> Iterator[str]:
    if usage["prompt_tokens"] is None:
        return
    yield f"Usage{' (estimated by the gateway)' if usage['estimated'] else ''}"
    yield (
        f"  prompt {usage['prompt_tokens']} tokens, of which {usage['cached_tokens'] or 0} read from a cache and "
        f"{usage['cache_write_tokens'] or 0} written to one"
    )
    yield f"  completion {usage['completion_tokens'] or 0} tokens, of which {usage['reasoning_tokens'] or 0} reasoning"


def _money(answer: Mapping[str, Any]) -> Iterator[str]:
    cost, baseline = answer["cost"], answer["baseline"]
    yield f"Cost: {_usd(cost['recorded_usd'])} for all calls"
    if cost["note"] and cost["calculated_usd"] is not None:
        yield f"  {cost['note']}"
    yield f"Baseline: {baseline['provider']}/{baseline['model']}, evidence {baseline['evidence'] or 'unknown'}"
    yield from _lines(baseline)
    if baseline["baseline_cost_low"] is not None:
        yield f"  between {_usd(baseline['baseline_cost_low'])} and {_usd(baseline['baseline_cost_high'])}"
    if baseline["cost_savings"] is not None:
        share = baseline["savings_percentage"] or 0.0
        yield f"Saved: {_usd(baseline['cost_savings'])}, {share:.1f} % of the baseline (baseline minus cost)"
    if baseline["cache_miss"]:
        tokens, lost = baseline["cache_missed_tokens"], _usd(baseline["cache_loss"])
        price = "" if tokens is None else f"; {tokens} tokens, which cost {lost} more than reading them"
        yield f"Cache: the conversation's prefix was not read: {baseline['cache_miss']}{price}"
    versions = answer["price_version"]
    if versions["recorded"] != versions["here"]:
        yield f"Prices: the row was priced with {versions['recorded'] or 'an unknown table'}, here they are {versions['here']}"


def _lines(priced: Mapping[str, Any]) -> Iterator[str]:
    """The arithmetic, and its sum beside what the row has."""
    for line in priced["lines"]:
        rate = line["usd_per_million"]
        price = "" if rate is None else f" x ${rate:g} per million"
        yield f"     {line['kind']}: {line['tokens']} tokens{price} = {_exact(line['usd'])}"
    if priced["lines"]:
        yield f"     sum {_exact(priced['calculated_usd'])}, in the row {_exact(priced['recorded_usd'])}"
    if priced["note"]:
        yield f"     {priced['note']}"


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "unknown"


def _usd(value: Any) -> str:
    return usd_text(value) if isinstance(value, int | float) else "unknown"


def _exact(value: float | None) -> str:
    """To the nano-dollar."""
    return "unknown" if value is None else f"${value:.9f}"
