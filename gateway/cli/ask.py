"""`gateway ask`: one prompt to the running gateway, or to one in this process, its answer as it comes, and what it cost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click
import httpx2
import orjson

from gateway.catalog import usd_text
from gateway.cli.configuration import KEY_VARIABLES, environment, settings_or_exit
from gateway.cli.running_gateway import URL, RunningGateway, running_gateway
from gateway.cli.terminal import shown
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.sse import SSEDecoder

TIMEOUT = httpx2.Timeout(30.0, read=600.0)  # seconds; a model may think for minutes


@click.command()
@click.argument("prompt")
@click.option("--model", default="auto", show_default=True, help="auto, auto:cheap, auto:quality, an alias or a model.")
@URL
def ask(prompt: str, model: str, url: str | None) -> None:
    """Ask the running gateway PROMPT and print the answer as it comes.

    Where none runs and --url is not given, the configured providers are asked: a gateway in this process decides, and
    writes the row to the ledger. Standard error then tells the model, the cost and the reason of the choice. The client
    key is the first one of GATEWAY_API_KEY.
    """
    settings = settings_or_exit(environment())
    gateway = running_gateway(settings, url)
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    try:
        with httpx2.Client(timeout=TIMEOUT) as client:
            summary = _ask(client, gateway, body)
    except httpx2.ConnectError as error:
        if url is not None:
            raise gateway.absent(error) from None
        summary = _ask_in_process(settings, gateway, body)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise gateway.absent(error) from None
    click.echo(shown(summary), err=True)


def _ask(client: httpx2.Client, gateway: RunningGateway, body: Mapping[str, Any]) -> str:
    """Prints the answer; returns what is told after it."""
    url = f"{gateway.url}/v1/chat/completions"
    with client.stream("POST", url, json=body, headers=gateway.headers) as response:
        if response.status_code != 200:
            raise gateway.refused(response.status_code, _json(response.read()))
        last = _print_answer(gateway, response)
        return _summary(last, response.headers.get("x-gateway-reason"))


def _ask_in_process(settings: Settings, absent: RunningGateway, body: Mapping[str, Any]) -> str:
    """The same by a gateway of this process, which ends with the answer."""
    if not settings.providers:
        raise click.ClickException(
            f"No gateway answers at {absent.url}, and no provider can be used here. Start `gateway demo`, which needs no key, in "
            f"another terminal, or set {', '.join(KEY_VARIABLES[:-1])} or {KEY_VARIABLES[-1]}."
        )
    # The server takes a while to import, and most calls of this command do not need it.
    from gateway.app import Gateway, open_ledger
    from gateway.server.in_process import call_in_process

    click.echo(f"No gateway runs at {absent.url}: asking {_names(settings)} from here.", err=True)
    logging.getLogger("gateway").addHandler(logging.NullHandler())  # its error says what its log would
    own = RunningGateway("http://localhost", absent.headers, "The gateway of this command")

    def call(path: str) -> str:
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=path), timeout=TIMEOUT) as client:
            return _ask(client, own, body)

    try:
        store = open_ledger(settings, now=lambda: datetime.now(UTC))
        return asyncio.run(call_in_process(Gateway(settings, store=store), call))
    except GatewayError as error:
        raise click.ClickException(error.message) from None


def _names(settings: Settings) -> str:
    return ", ".join(provider.name for provider in settings.providers)


def _print_answer(gateway: RunningGateway, response: httpx2.Response) -> Mapping[str, Any]:
    """Prints the text of a stream; returns its last chunk. Ends the command where the stream has an error or no end."""
    last: Mapping[str, Any] = {}
    begun = False
    for data in _events(response):
        if data == b"[DONE]":
            click.echo()
            return last
        chunk = _json(data)
        if not isinstance(chunk, dict) or "error" in chunk:
            click.echo(nl=begun)
            raise gateway.refused(response.status_code, chunk)
        last = chunk
        for choice in chunk.get("choices") or ():
            if text := (choice.get("delta") or {}).get("content"):
                begun = True
                # Code has tabs; all else that a terminal would obey is escaped.
                click.echo("\t".join(map(shown, text.split("\t"))), nl=False)
    click.echo(nl=begun)
    raise click.ClickException(
        f"{gateway.name or gateway.url} ended the answer before it was complete. `gateway requests` tells why."
    )


def _events(response: httpx2.Response) -> Iterator[bytes]:
    decoder = SSEDecoder()
    for piece in response.iter_bytes():
        for event in decoder.feed(piece):
            yield event.data


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _summary(last: Mapping[str, Any], reason: str | None) -> str:
    usage, answered = last.get("usage") or {}, last.get("gateway") or {}
    model = f"{answered['provider']}/{answered['model']}" if answered else "unknown model"
    savings = (usage.get("cost_details") or {}).get("savings")
    cost = usage.get("cost")
    facts = [model, "unknown cost" if cost is None else usd_text(cost)]
    facts += [] if savings is None else [f"saved {usd_text(savings)}"]
    return ", ".join(facts) + (f": {reason}" if reason else "")
