"""`gateway feedback`: rates a request, a session or a tag at the running gateway, for example from CI or after a merge."""

from __future__ import annotations

from typing import Any

import click
import httpx2
import orjson

from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.running_gateway import URL, RunningGateway, running_gateway
from gateway.cli.terminal import echo

TIMEOUT = 30.0  # seconds


@click.command()
@click.option("--request-id", help="Rate one answer: its x-request-id.")
@click.option("--session", "session_id", help="Rate all requests of a session that have no rating yet.")
@click.option("--tag", help="Rate all requests with a tag that have no rating yet: NAME=VALUE.")
@click.option("--score", type=click.FloatRange(0, 1), help="0 (useless) to 1 (perfect).")
@click.option("--up", "rating", flag_value="up", help="As a score of 1.")
@click.option("--down", "rating", flag_value="down", help="As a score of 0.")
@click.option("--comment", help="Why; up to 4000 characters.")
@URL
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def feedback(
    request_id: str | None,
    session_id: str | None,
    tag: str | None,
    score: float | None,
    rating: str | None,
    comment: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Rate answers of the running gateway, so that it learns and reports can tell the cost of a finished task.

    The client key is the first one of GATEWAY_API_KEY; only requests of that key can be rated, within 30 days.
    """
    if [request_id, session_id, tag].count(None) != 2:
        raise click.UsageError("Give one of --request-id, --session and --tag.")
    if (score is None) == (rating is None):
        raise click.UsageError("Give one of --score, --up and --down.")
    settings = settings_or_exit(environment())
    given = {
        "request_id": request_id,
        "session_id": session_id,
        "tag": _tag(tag),
        "score": score,
        "rating": rating,
        "comment": comment,
    }
    answer = _post(running_gateway(settings, url), {name: value for name, value in given.items() if value is not None})
    if as_json:
        echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    else:
        echo(f"Rated {answer.get('requests', 1)} with {answer['score']:g}.")


def _tag(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise click.UsageError(f"--tag {text!r} is no tag; write NAME=VALUE.")
    return {name: value}


def _post(gateway: RunningGateway, body: dict[str, Any]) -> dict[str, Any]:
    """The gateway's answer. Ends the command with the gateway's message where it refuses, or with what to check."""
    try:
        response = httpx2.post(f"{gateway.url}/v1/feedback", json=body, headers=gateway.headers, timeout=TIMEOUT)
        answer = _json(response.content)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise gateway.absent(error) from None
    if response.status_code != 200 or not isinstance(answer, dict):
        raise gateway.refused(response.status_code, answer)
    return answer


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
