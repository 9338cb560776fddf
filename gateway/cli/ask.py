"""`gateway ask`: one prompt to the running gateway, its answer as it comes, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
import httpx2
import orjson

from gateway.catalog import usd_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.running_gateway import URL, RunningGateway, running_gateway
from gateway.cli.terminal import shown
from gateway.sse import SSEDecoder

TIMEOUT = httpx2.Timeout(30.0, read=600.0)  # seconds; a model may think for minutes


@click.command()
@click.argument("prompt")
@click.option("--model", default="auto", show_default=True, help="auto, auto:cheap, auto:quality, an alias or a model.")
@URL
def ask(prompt: str, model: str, url: str | None) -> None:
    """Ask the running gateway PROMPT and print the answer as it comes.

    Standard error then tells the model, the cost and the reason of the choice. The client key is the first one of
    GATEWAY_API_KEY.
    """
    gateway = running_gateway(settings_or_exit(environment()), url)
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    try:
        with httpx2.stream(
            "POST", f"{gateway.url}/v1/chat/completions", json=body, headers=gateway.headers, timeout=TIMEOUT
        ) as response:
            if response.status_code != 200:
                raise gateway.refused(response.status_code, _json(response.read()))
            last = _print_answer(gateway, response)
            reason = response.headers.get("x-gateway-reason")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise gateway.absent(error) from None
    click.echo(shown(_summary(last, reason)), err=True)


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
    raise click.ClickException(f"{gateway.url} ended the answer before it was complete. `gateway requests` tells why.")


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
