"""Starting a server from the command line: what `serve` and `demo` share. A start that cannot succeed exits with one sentence."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.app import Gateway, open_ledger
from gateway.cli import access
from gateway.errors import GatewayError
from gateway.server import file_limits
from gateway.server.sockets import close_all, listen
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.database_store import DatabaseStore
from gateway.store.workers import listen_for_workers


def listening_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that `serve` and `demo` share; each wins over its environment variable."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(1, 64),
            help="Processes that share the port and the ledger. [GATEWAY_WORKERS; default: 1]",
        ),
        click.option("--db", help="The ledger: an SQLite file or a PostgreSQL URL. [GATEWAY_DB; default: gateway.db]"),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            help="The YAML file. [GATEWAY_CONFIG; default: config/gateway.yaml]",
        ),
        click.option(
            "--port", type=click.IntRange(0, 65535), help="The port to listen on. [GATEWAY_PORT; default: 8000]"
        ),
        click.option("--host", help="The address to listen on. [GATEWAY_HOST; default: 127.0.0.1]"),
        click.option(
            "--accept-lost-keys",
            is_flag=True,
            help="Serve this machine without keys although a ledger with keys was lost.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def listening_or_exit(settings: Settings) -> Iterator[Sequence[socket.socket]]:
    """Sockets that listen on the host's addresses. Exits with a sentence that says what to change.

    They are opened before anything else is started or printed, so a port that is in use costs one line.
    """
    try:
        sockets = listen(settings.host, settings.port)
    except OSError as error:
        address = f"Port {settings.port} of {settings.host}"
        change = "choose another with --port or GATEWAY_PORT"
        if error.errno == errno.EADDRINUSE:
            raise click.ClickException(f"{address} is in use by another program: {change}.") from None
        raise click.ClickException(
            f"{address} cannot be listened on ({error.strerror or error}): {change}, or another address with --host or GATEWAY_HOST."
        ) from None
    try:
        yield sockets
    finally:
        close_all(sockets)


def tell_ready(url: str) -> None:
    """Says where to go, on a terminal: the log there is JSON, and its last lines are not the ones to look for."""
    if sys.stderr.isatty():
        click.secho(
            f"\nReady: {url}/ is the dashboard, {url}/v1 the base URL of clients. Ctrl-C ends it.\n",
            err=True,
            bold=True,
        )


@contextmanager
def writer_listening_or_exit(path: Path) -> Iterator[socket.socket]:
    """The socket at which workers find the process that writes the ledger. Exits with a sentence that says what to change."""
    try:
        listening = listen_for_workers(path)
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    with listening:
        yield listening


def ledger_or_exit(settings: Settings, *, accept_lost_keys: bool) -> DatabaseStore:
    """The open ledger, after printing which keys count. Exits with the reason when it cannot be opened.

    A damaged ledger is renamed here, before there are workers, so that no two of them do it.
    """
    try:
        store = open_ledger(settings, now=lambda: datetime.now(UTC))
        if accept_lost_keys and access.accept_lost_keys(settings):
            click.echo("The loss of the keys is accepted: this machine is served without a key.", err=True)
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    for line in access.access_lines(settings, store):
        click.echo(line, err=True)
    return store


def build_gateway_or_exit(
    settings: Settings, *, store: Store | None = None, demo: bool = False, shared: Path | None = None
) -> Gateway:
    """The gateway. Exits with the reason when its ledger cannot be opened."""
    try:
        return Gateway(within_open_files(settings), store=store, demo=demo, shared=shared)
    except GatewayError as error:
        raise click.ClickException(error.message) from None


def within_open_files(settings: Settings) -> Settings:
    """The settings with limits that fit the number of open files allowed; prints a warning where they had to be lowered."""
    limits, warning = file_limits.fitted(settings.limits, file_limits.raise_to(file_limits.needed(settings.limits)))
    if warning is not None:
        click.echo(warning, err=True)
    return replace(settings, limits=limits)
