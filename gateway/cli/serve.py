"""`gateway serve`: the gateway on a port, until a signal ends it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from gateway.app import writer_socket
from gateway.cli.configuration import KEY_VARIABLES, environment, settings_or_exit
from gateway.cli.launch import (
    build_gateway_or_exit,
    ledger_or_exit,
    listening_options,
    listening_or_exit,
    tell_ready,
    within_open_files,
    writer_listening_or_exit,
)
from gateway.observability.logs import logging_to
from gateway.server.ledger_writer import run_writer
from gateway.server.server import reachable, run
from gateway.server.sockets import close_all
from gateway.server.workers import Workers
from gateway.settings import Settings, load, start_up_lines


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
        from gateway.cli.demo import demo  # imports the simulated vendors

        click.echo(f"No provider can be used (no {', '.join(KEY_VARIABLES)} is set): running the demo.", err=True)
        context.invoke(demo, **flags, accept_lost_keys=accept_lost_keys, seed=0, traffic=0)
        return
    if not settings.providers:
        raise click.ClickException(
            "No provider is enabled. Set GEMINI_API_KEY, ANTHROPIC_API_KEY or OPENROUTER_API_KEY, or try `gateway demo`."
        )
    if settings.workers > 1 and settings.db == ":memory:":
        raise click.ClickException("Several workers cannot share a ledger in memory: name a file in GATEWAY_DB.")
    with listening_or_exit(settings) as listening:
        for line in start_up_lines(settings):
            click.echo(line, err=True)

        def read() -> Settings:
            return within_open_files(load(os.environ, **flags))

        with logging_to(sys.stderr):
            store = ledger_or_exit(settings, accept_lost_keys=accept_lost_keys)
            if settings.workers == 1:
                run(
                    build_gateway_or_exit(settings, store=store),
                    settings,
                    read=read,
                    started=tell_ready,
                    listening=listening,
                )
                return
            store.close()  # each worker opens it after the fork
        raise SystemExit(serve_by_several(settings, read, listening=listening))


def serve_by_several(settings: Settings, read: Callable[[], Settings], *, listening: Sequence[socket.socket]) -> int:
    """Serve the sockets with `settings.workers` processes, and one that writes an SQLite ledger for them. Returns the exit status."""
    click.echo(f"{settings.workers} workers running on {reachable(listening[0].getsockname())}", err=True)
    first, shared = os.getpid(), Path(tempfile.mkdtemp(prefix="gateway-"))
    try:
        with ExitStack() as stack:
            path = writer_socket(settings, shared)
            writer = None if path is None else stack.enter_context(writer_listening_or_exit(path))

            def work() -> None:
                if writer is not None:
                    writer.close()
                with logging_to(sys.stderr):
                    gateway = build_gateway_or_exit(settings, shared=shared)
                    run(gateway, settings, read=read, listening=listening, needs=first)

            def write(writer: socket.socket) -> None:
                close_all(listening)
                with logging_to(sys.stderr):
                    run_writer(settings, writer, needs=first)

            return Workers(
                work,
                count=settings.workers,
                write=None if writer is None else partial(write, writer),
                at_end=partial(close_all, listening),
            ).run()
    finally:
        if os.getpid() == first:
            shutil.rmtree(shared)
