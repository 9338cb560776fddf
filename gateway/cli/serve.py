"""`gateway serve`: the gateway on a port, until a signal ends it."""

from __future__ import annotations

import errno
import math
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import uvicorn
from starlette.applications import Starlette

from gateway.app import create_app, open_ledger
from gateway.cli import access
from gateway.errors import ConfigError, GatewayError
from gateway.observability.logs import logging_to
from gateway.server import file_limits
from gateway.server.connection import ServerConnection
from gateway.server.reload import Reloader, on_hangup
from gateway.server.server import DrainingServer, reachable
from gateway.server.workers import FAILED_START, Workers
from gateway.settings import Settings, add_dotenv, load, start_up_lines
from gateway.store import Store
from gateway.store.sqlite import SqliteStore

KEY_VARIABLES = ("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY")
BACKLOG = 2048  # connections that wait to be taken, as many as uvicorn lets wait


def listening_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that `serve` and `demo` share; each wins over its environment variable."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(1, 64),
            help="Processes that share the port and the ledger. [GATEWAY_WORKERS; default: 1]",
        ),
        click.option("--db", help="The ledger's SQLite file. [GATEWAY_DB; default: gateway.db]"),
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


@click.command()
@listening_options
@click.option("--or-demo", is_flag=True, help="Run `gateway demo` when no provider can be used.")
@click.pass_context
def serve(
    context: click.Context,
    host: str | None,
    port: int | None,
    config: Path | None,
    db: str | None,
    workers: int | None,
    accept_lost_keys: bool,
    or_demo: bool,
) -> None:
    """Serve the OpenAI API, with the providers whose keys are set.

    Flags win over the environment, the environment over the file .env, that over the configuration file, that over the defaults.
    """
    flags: dict[str, Any] = {"host": host, "port": port, "config": config, "db": db, "workers": workers}
    settings = settings_or_exit(environment(), **flags)
    if not settings.providers and or_demo:
        from gateway.cli.demo import demo  # brings the simulators

        click.echo(f"No provider can be used (no {', '.join(KEY_VARIABLES)} is set): running the demo.", err=True)
        context.invoke(demo, **flags, accept_lost_keys=accept_lost_keys, seed=0, traffic=0)
        return
    if not settings.providers:
        raise click.ClickException(
            "No provider is enabled. Set GEMINI_API_KEY, ANTHROPIC_API_KEY or OPENROUTER_API_KEY, or try `gateway demo`."
        )
    with listening_or_exit(settings) as listening:
        for line in start_up_lines(settings):
            click.echo(line, err=True)
        read = partial(load, os.environ, **flags)
        with logging_to(sys.stderr):
            store = ledger_or_exit(settings, accept_lost_keys=accept_lost_keys)
            if settings.workers == 1:
                run(create_app_or_exit(settings, store=store), settings, read=read, listening=listening)
                return
            store.close()  # each worker opens it after the fork
        raise SystemExit(serve_by_several(settings, read, listening=listening))


def environment() -> MutableMapping[str, str]:
    """This process's environment with what `.env` in the working directory adds, or the end of the program naming its wrong lines."""
    try:
        add_dotenv(os.environ)
    except ConfigError as error:
        raise exit_with(error) from None
    return os.environ


@contextmanager
def listening_or_exit(settings: Settings) -> Iterator[Sequence[socket.socket]]:
    """Sockets that listen on the host's addresses, or the end of the program with a sentence that says what to change.

    They are open before anything else is started or said, so a port that is in use costs one line.
    """
    try:
        sockets = listen(settings.host, settings.port)
    except OSError as error:
        where = f"Port {settings.port} of {settings.host}"
        change = "choose another with --port or GATEWAY_PORT"
        if error.errno == errno.EADDRINUSE:
            raise click.ClickException(f"{where} is in use by another program: {change}.") from None
        raise click.ClickException(
            f"{where} cannot be listened on ({error.strerror or error}): {change}, or another address with --host or GATEWAY_HOST."
        ) from None
    try:
        yield sockets
    finally:
        close_all(sockets)


def listen(host: str, port: int) -> Sequence[socket.socket]:
    """One socket for each address of the host. Raises OSError when an address cannot be had, except where a further one does not exist here."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, *_, address in dict.fromkeys(addresses):
            bound = sockets[0].getsockname()[1] if sockets else port  # a free port is the same one for all addresses
            try:
                sockets.append(socket.create_server((address[0], bound, *address[2:]), family=family, backlog=BACKLOG))
            except OSError as error:
                if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
    except OSError:
        close_all(sockets)
        raise
    return sockets


def serve_by_several(settings: Settings, read: Callable[[], Settings], *, listening: Sequence[socket.socket]) -> int:
    """Let `settings.workers` processes serve what comes on the sockets; the exit status."""
    click.echo(f"{settings.workers} workers running on {reachable(listening[0].getsockname())}", err=True)
    first, shared = os.getpid(), Path(tempfile.mkdtemp(prefix="gateway-"))

    def work() -> None:
        with logging_to(sys.stderr):
            run(create_app_or_exit(settings, shared=shared), settings, read=read, listening=listening, needs=first)

    try:
        return Workers(work, count=settings.workers, at_end=partial(close_all, listening)).run()
    finally:
        if os.getpid() == first:
            shutil.rmtree(shared)


def close_all(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


def settings_or_exit(environment: Mapping[str, str], **flags: Any) -> Settings:
    """The settings, or the end of the program with every problem named; `flags` are `load`'s."""
    try:
        return load(environment, **flags)
    except ConfigError as error:
        raise exit_with(error) from None


def exit_with(error: ConfigError) -> SystemExit:
    """Prints every problem; the exit status of a bad configuration."""
    for problem in error.problems:
        click.echo(f"error: {problem}", err=True)
    return SystemExit(2)


def ledger_or_exit(settings: Settings, *, accept_lost_keys: bool) -> SqliteStore:
    """The open ledger, after saying whose keys count, or the end of the program with the reason.

    A damaged ledger is moved away here, before there are workers, so that no two of them do it.
    """
    try:
        store = open_ledger(settings, now=lambda: datetime.now(UTC))
        if accept_lost_keys and access.accept_lost_keys(settings):
            click.echo("The keys that were lost are given up: this machine is served without a key.", err=True)
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    for line in access.access_lines(settings, store):
        click.echo(line, err=True)
    return store


def create_app_or_exit(
    settings: Settings, *, store: Store | None = None, demo: bool = False, shared: Path | None = None
) -> Starlette:
    """The application, or the end of the program with the reason (a ledger that cannot be opened)."""
    try:
        return create_app(within_open_files(settings), store=store, demo=demo, shared=shared)
    except GatewayError as error:
        raise click.ClickException(error.message) from None


def within_open_files(settings: Settings) -> Settings:
    """The settings with limits that the open files suffice for; a warning on standard error where those had to be lowered."""
    limits, warning = file_limits.fitted(settings.limits, file_limits.raise_to(file_limits.needed(settings.limits)))
    if warning is not None:
        click.echo(warning, err=True)
    return replace(settings, limits=limits)


def run(
    app: Starlette,
    settings: Settings,
    *,
    read: Callable[[], Settings],
    started: Callable[[str], None] = lambda url: None,
    listening: Sequence[socket.socket] | None = None,
    needs: int | None = None,
) -> None:
    """Serve `app` until a signal, following what `read` makes of the configuration; 3 is the exit status of a start that failed.

    `started` is told the URL. What comes on the sockets `listening` is served; without any the server opens its own. Without the process
    `needs`, its parent, this one ends as after a signal.
    """
    gateway = app.state.gateway
    reloader = Reloader(gateway, lambda: within_open_files(read()))
    server = DrainingServer(
        uvicorn.Config(app, **uvicorn_options(settings)),
        gateway,
        settings=settings,
        reloader=reloader,
        started=started,
        needs=needs,
    )
    with on_hangup(reloader.ask):
        server.run(None if listening is None else list(listening))
    if not server.started:
        raise SystemExit(FAILED_START)


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """How uvicorn runs: connections of our own, no access log (the ledger is one), no own logging, loud only about trouble."""
    return {
        "host": settings.host,
        "port": settings.port,
        "http": ServerConnection,
        "loop": "uvloop" if sys.platform != "win32" else "asyncio",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "proxy_headers": False,
        "timeout_graceful_shutdown": math.ceil(settings.grace),
        "ws": "none",
    }
