"""`gateway keys`: virtual keys, made, listed, rotated and revoked in the ledger."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import click
import orjson

from gateway.accounts.budgets import Balance, Budget, period, resets, usd
from gateway.accounts.virtual_keys import ADMIN_PREFIX, PREFIX, SHOWN, AdminKey, VirtualKey, digest_of
from gateway.catalog import nano_dollars, plain_numbers
from gateway.catalog.catalog import TIERS, Auto, Catalog
from gateway.cli.access import admin_source
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import DB, DEMO_LEDGER, READ_DB, changing, ledger_to_read, reading
from gateway.cli.terminal import echo, shown
from gateway.completion import Cascading
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store import (
    InsertAdminKey,
    InsertVirtualKey,
    LimitVirtualKey,
    ReplaceAdminKey,
    RevokeVirtualKey,
    RotateVirtualKey,
    Store,
)
from gateway.store.postgres.address import is_postgres

SECRET_BYTES = 32
_LIFETIME = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class BudgetType(click.ParamType[Budget]):
    name = "usd/window"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Budget:
        try:
            return Budget.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class MomentType(click.ParamType[datetime]):
    """`30d`, `12h`, `2w` from now, or a date or time in ISO 8601 (UTC unless it says otherwise)."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if found := _LIFETIME.fullmatch(str(value)):
            return datetime.now(UTC) + timedelta(**{_UNITS[found[2]]: int(found[1])})
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither a time from now, such as 30d, nor a date, such as 2027-01-31.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


SESSION_BUDGET = click.option(
    "--session-budget", type=click.FloatRange(0, 1e6, min_open=True), help="USD that one session may cost at most."
)


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke virtual keys with budgets, rates and limits of their own.

    A running gateway on the same ledger applies a change within seconds.
    """


@keys.command()
@click.option("--name", required=True, help="Its name: unique among the keys that are not revoked.")
@click.option("--budget", type=BudgetType(), help="USD per hour, day, week, month or total, such as 5/day.")
@click.option("--rpm", type=click.IntRange(1, 1_000_000), help="Requests a minute.")
@click.option(
    "--models", help="Full names of the models it may use, separated by commas; * matches anything, as in gemini/*."
)
@click.option("--max-tier", type=click.Choice(TIERS), help="The highest tier it may use.")
@click.option("--max-cost", type=click.FloatRange(0, 1e6, min_open=True), help="USD that one request may cost at most.")
@SESSION_BUDGET
@click.option(
    "--cascade",
    type=click.Choice(get_args(Cascading)),
    help="What is done with an answer before it is sent; replaces the configured way.",
)
@click.option("--no-holdback", is_flag=True, help="No conversation of it is held back to the baseline.")
@click.option("--expires", type=MomentType(), help="When it expires: 30d, 12h, 2w from now, or a date.")
@DB
def create(
    name: str,
    budget: Budget | None,
    rpm: int | None,
    models: str | None,
    max_tier: Any,
    max_cost: float | None,
    session_budget: float | None,
    cascade: Any,
    no_holdback: bool,
    expires: datetime | None,
    db: str | None,
) -> None:
    """Create a key and print it. Only its digest is stored, so it cannot be shown again."""
    settings = settings_or_exit(environment())
    if not (name.isprintable() and 0 < len(name) <= 64):
        raise click.BadParameter("a name has 1 to 64 printable characters.", param_hint="--name")
    secret, key = new_key(
        name,
        expires=expires,
        budget=budget,
        rpm=rpm,
        models=None if models is None else model_patterns(models, settings.catalog),
        max_tier=max_tier,
        max_cost_nano=_nano(max_cost),
        session_budget_nano=_nano(session_budget),
        holdback=not no_holdback,
        cascade=cascade,
    )
    path = db or settings.db
    if DEMO_LEDGER.exists() and not is_postgres(path) and not Path(path).exists():
        click.echo(f"This key is for {path}; for the demo add --db {DEMO_LEDGER}.", err=True)
    with changing(path, create=True) as store:
        insert_key(key, store, settings)
    click.echo(secret)
    click.echo(f"{key.id} {key.name}: {limits(key)}. This is the only time the key is shown.", err=True)


@keys.command()
@DB
def admin(db: str | None) -> None:
    """Make a new admin key, print it and store its digest in the ledger. The previous one stops working, and all dashboard
    sessions end.

    The ledger's admin key is used where neither GATEWAY_ADMIN_KEY nor GATEWAY_API_KEY is set.
    """
    settings = settings_or_exit(environment())
    secret = new_secret(ADMIN_PREFIX)
    with changing(db or settings.db, create=True) as store:
        store.submit(ReplaceAdminKey(new_admin_key(secret))).result()
    click.echo(secret)
    click.echo("This is the only time the admin key is shown.", err=True)
    if has_configured_admin(settings):
        click.echo(f"It is not used while the environment sets one: {admin_source(settings)}.", err=True)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object a key.")
@READ_DB
def list_keys(as_json: bool, db: str | None) -> None:
    """List all keys with their limits and what they have spent of their budgets."""
    now = datetime.now(UTC)
    with reading(ledger_to_read(db)) as store:
        found = store.virtual_keys()
        if not found and not as_json:
            click.echo("There is no key yet; `gateway keys create --name NAME` creates one.", err=True)
        for key in found:
            balance = store.balance(key.id, period(key.budget.window, now)) if key.budget else Balance()
            if as_json:
                echo(orjson.dumps(plain_numbers(facts(key, balance, now=now))).decode())
            else:
                spent = f"; {usd(balance.used_nano)} spent, {usd(balance.held_nano)} held" if key.budget else ""
                echo(f"{key.id} ...{key.last4} {state(key, now):<8} {key.name}: {limits(key)}{spent}")


@keys.command()
@click.argument("key")
@DB
def rotate(key: str, db: str | None) -> None:
    """Give KEY (its name or id) a new secret and print it. The old one stops working; spending and limits stay."""
    secret = new_secret()
    with changing(db) as store:
        stored = live_key(store, key)
        store.submit(RotateVirtualKey(stored.id, digest=digest_of(secret), last4=secret[-SHOWN:])).result()
    click.echo(secret)
    click.echo(f"{stored.id} {shown(stored.name)}: the old key is refused from now on.", err=True)


@keys.command()
@click.argument("key")
@SESSION_BUDGET
@DB
def limit(key: str, session_budget: float | None, db: str | None) -> None:
    """Change what a session of KEY (its name or id) may cost. A higher limit lets sessions that pause go on.

    Without --session-budget there is no limit any more.
    """
    limit_nano = _nano(session_budget)
    with changing(db) as store:
        stored = live_key(store, key)
        store.submit(LimitVirtualKey(stored.id, session_budget_nano=limit_nano)).result()
    now = "without a limit" if limit_nano is None else f"limited to {usd(limit_nano)} USD"
    click.echo(f"{stored.id} {shown(stored.name)}: a session is {now} from now on.", err=True)


@keys.command()
@click.argument("key")
@DB
def revoke(key: str, db: str | None) -> None:
    """Revoke KEY (its name or id) permanently. Its rows in the ledger stay."""
    with changing(db) as store:
        stored = live_key(store, key)
        store.submit(RevokeVirtualKey(stored.id, at=datetime.now(UTC))).result()
    click.echo(f"{stored.id} {shown(stored.name)} is revoked.", err=True)


def new_key(name: str, **limits: Any) -> tuple[str, VirtualKey]:
    """A new secret and the key that is stored for it; `limits` are members of `VirtualKey`."""
    secret = new_secret()
    now = datetime.now(UTC)
    key = VirtualKey("key_" + secrets.token_hex(8), name, digest_of(secret), secret[-SHOWN:], created=now, **limits)
    return secret, key


def insert_key(key: VirtualKey, store: Store, settings: Settings) -> None:
    """Store a key. With the first one, an admin key is made and printed where none is configured."""
    admin_secret = new_secret(ADMIN_PREFIX)
    created = not has_configured_admin(settings) and store.submit(InsertAdminKey(new_admin_key(admin_secret))).result()
    if created:  # first: once there is a virtual key, the admin routes require it
        click.echo(f"admin key: {admin_secret}", err=True)
        click.echo(
            "The dashboard, the metrics and the other admin routes require it from now on, unless the gateway runs with "
            "GATEWAY_ADMIN_KEY or GATEWAY_API_KEY. This is the only time it is shown; `gateway keys admin` creates another.",
            err=True,
        )
    store.submit(InsertVirtualKey(key)).result()


def _nano(amount: float | None) -> int | None:
    return None if amount is None else nano_dollars(Decimal(repr(amount)))


def live_key(store: Store, name: str) -> VirtualKey:
    """The key that is not revoked and has this name or id."""
    for key in store.virtual_keys():
        if name in (key.name, key.id) and key.revoked is None:
            return key
    raise click.ClickException(f"There is no key {name!r} that is not revoked; `gateway keys list` lists all.")


def new_secret(prefix: str = PREFIX) -> str:
    """256 random bits in characters that fit every header."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def new_admin_key(secret: str) -> AdminKey:
    return AdminKey(digest_of(secret), secret[-SHOWN:], datetime.now(UTC))


def has_configured_admin(settings: Settings) -> bool:
    return settings.admin_key is not None or bool(settings.client_keys)


def model_patterns(text: str, catalog: Catalog) -> tuple[str, ...]:
    """Resolve names separated by commas to full names; patterns stay as they are."""
    found = []
    for name in filter(None, map(str.strip, text.split(","))):
        try:
            target = None if "*" in name else catalog.resolve(name)
        except GatewayError as error:
            raise click.BadParameter(error.message, param_hint="--models") from None
        if isinstance(target, Auto):
            raise click.BadParameter(
                f"{name} needs no permission: name the models that it may choose from.", param_hint="--models"
            )
        found.append(name if target is None else f"{target.provider}/{target.model}")
    if not found:
        raise click.BadParameter("no model is named.", param_hint="--models")
    return tuple(dict.fromkeys(found))


def state(key: VirtualKey, now: datetime) -> str:
    if key.revoked is not None:
        return "revoked"
    return "live" if key.live(now) else "expired"


def limits(key: VirtualKey) -> str:
    """All of a key's limits in words."""
    shown_limits = {
        "budget": key.budget,
        "requests a minute": key.rpm,
        "models": None if key.models is None else " ".join(key.models),
        "up to tier": key.max_tier,
        "USD a request": None if key.max_cost_nano is None else usd(key.max_cost_nano),
        "USD a session": None if key.session_budget_nano is None else usd(key.session_budget_nano),
        "cascade": key.cascade,
        "until": None if key.expires is None else f"{key.expires:%Y-%m-%dT%H:%M%z}",
    }
    words = [f"{name} {value}" for name, value in shown_limits.items() if value is not None]
    return ", ".join(words if key.holdback else [*words, "no holdback"]) or "no limits"


def facts(key: VirtualKey, balance: Balance, *, now: datetime) -> dict[str, Any]:
    """A key for tools; money in USD."""
    budget = key.budget
    return {
        "id": key.id,
        "name": key.name,
        "last4": key.last4,
        "state": state(key, now),
        "created": key.created,
        "expires": key.expires,
        "rpm": key.rpm,
        "models": key.models,
        "max_tier": key.max_tier,
        "holdback": key.holdback,
        "cascade": key.cascade,
        "max_cost": None if key.max_cost_nano is None else key.max_cost_nano / 1e9,
        "session_budget": None if key.session_budget_nano is None else key.session_budget_nano / 1e9,
        "budget": None
        if budget is None
        else {
            "limit": budget.limit_nano / 1e9,
            "window": budget.window,
            "spent": balance.used_nano / 1e9,
            "held": balance.held_nano / 1e9,
            "resets": resets(budget.window, now),
        },
    }
