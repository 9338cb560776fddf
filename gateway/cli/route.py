"""`gateway route`: which model a prompt would get, and why; no upstream is called."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.api.route_preview import plan_json
from gateway.catalog import plain_numbers, usd_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import demo_ledger, existing
from gateway.cli.terminal import echo
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import GatewayError
from gateway.routing import Planner, RoutingEngine, RoutingMode
from gateway.settings import Settings
from gateway.store.database_store import DatabaseStore
from gateway.store.opening import open_read_only, open_store
from gateway.store.postgres.address import is_postgres

_MODES = {None: None, True: RoutingMode.AUTO, False: RoutingMode.COMPLEXITY}


@click.command()
@click.argument("prompt")
@click.option("--model", default="auto", show_default=True, help="auto, auto:cheap, auto:quality, or a model's name.")
@click.option("--auto-route/--no-auto-route", default=None, help="As `?auto_route=` over HTTP.")
@click.option(
    "--db", help="The ledger to learn from. [GATEWAY_DB; default: gateway.db, else the demo's gateway-demo.db]"
)
@click.option("--json", "as_json", is_flag=True, help="The whole decision as JSON.")
def route(prompt: str, model: str, auto_route: bool | None, db: str | None, as_json: bool) -> None:
    """Decide for PROMPT without calling anyone.

    Considers the providers whose keys are set, or all of the catalogue's when none is.
    """
    settings = settings_or_exit(environment(), db=db)
    catalog = settings.catalog
    providers = tuple(entry.name for entry in settings.providers) or catalog.providers
    # What the shell passes need not be UTF-8.
    content = prompt.encode(errors="replace").decode()
    request = orjson.dumps({"model": model, "messages": [{"role": "user", "content": content}]})
    try:
        with closing(ledger_to_learn_from(settings, named=db is not None)) as store:
            engine = RoutingEngine(settings.db, catalog=catalog, tradeoff=settings.tradeoff, seed=0, store=store)
            with closing(engine):
                engine.refresh()
                planner = Planner(engine, catalog, providers=providers, cooling=frozenset, baseline=settings.baseline)
                plan = planner.plan(parse_chat_request(request), mode=_MODES[auto_route])
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    answer = plan_json(plan)
    echo(orjson.dumps(plain_numbers(answer), option=orjson.OPT_INDENT_2).decode() if as_json else _text(answer))


def ledger_to_learn_from(settings: Settings, *, named: bool) -> DatabaseStore:
    """The ledger, opened for reading; without one, nothing was learned yet. One that is named on the command line has to be
    there."""
    path = existing(settings.db) if named else demo_ledger(settings) or settings.db
    return open_read_only(path) if is_postgres(path) or Path(path).exists() else open_store(":memory:")


def _text(answer: dict[str, Any]) -> str:
    lines = [
        f"{answer['model']}  ({answer['strategy_used']}, confidence {answer['confidence'] or 'none'})",
        str(answer["reasoning"]),
        f"baseline: {answer['baseline_model']}",
    ]
    for candidate in answer["candidates"]:
        quality, cost = candidate.get("quality"), candidate.get("cost")
        shown = f"quality {quality:.2f}" if quality is not None else "quality unknown"
        price = usd_text(cost) if cost is not None else "cost unknown"
        lines.append(f"  {candidate['provider']}/{candidate['model']}: {shown}, {price}")
    return "\n".join(lines)
