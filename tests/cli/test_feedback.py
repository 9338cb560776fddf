"""`gateway feedback`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import respx

from tests.cli.conftest import Invoke
from tests.conftest import KEYS, MakeGateway


def test_feedback_rates_a_session_of_the_running_gateway(make_gateway: MakeGateway, invoke: Invoke) -> None:
    """A session is rated at the gateway that runs, with the client key; the command says how many requests that were."""
    key = "a-client-key-of-the-tests"
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": key})
    gateway.client.headers["authorization"] = f"Bearer {key}"
    gateway.ask("Hello", routing={"session_id": "s"})
    gateway.ask("Hello", routing={"session_id": "s"})
    url = str(gateway.client.base_url)
    result = invoke("feedback", "--session", "s", "--score", "0.5", "--url", url, GATEWAY_API_KEY=key)
    assert result.output == "Rated 2 with 0.5.\n"
    assert [row["feedback_score"] for row in gateway.rows] == [0.5, 0.5]
    refused = invoke("feedback", "--session", "s", "--up", "--url", url, GATEWAY_API_KEY=key)
    assert (refused.exit_code, "have their feedback already" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"GATEWAY_PORT": "8123"}, "http://127.0.0.1:8123"),
        ({"GATEWAY_HOST": "0.0.0.0", "GATEWAY_API_KEY": "k" * 24}, "http://127.0.0.1:8000"),
        ({"GATEWAY_HOST": "::1"}, "http://[::1]:8000"),
    ],
)
def test_feedback_goes_to_the_address_of_the_settings(
    invoke: Invoke, respx_mock: respx.MockRouter, environment: dict[str, str], url: str
) -> None:
    """Without --url the gateway of the settings is asked; --json shows its answer."""
    answer = {"object": "feedback", "tag": {"task": "17"}, "score": 0.0, "requests": 3}
    route = respx_mock.post(f"{url}/v1/feedback").respond(200, json=answer)
    result = invoke("feedback", "--tag", "task=17", "--down", "--comment", "no", "--json", **environment)
    assert orjson.loads(result.output) == answer
    assert orjson.loads(route.calls.last.request.content) == {"tag": {"task": "17"}, "rating": "down", "comment": "no"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--up",), "one of --request-id, --session and --tag"),
        (("--request-id", "r", "--session", "s", "--up"), "one of --request-id, --session and --tag"),
        (("--request-id", "r"), "one of --score, --up and --down"),
        (("--request-id", "r", "--up", "--score", "1"), "one of --score, --up and --down"),
        (("--tag", "task", "--up"), "write NAME=VALUE"),
    ],
)
def test_wrong_use_of_feedback_says_what_to_give(invoke: Invoke, arguments: tuple[str, ...], said: str) -> None:
    """Too much or too little is status 2, with what to give."""
    result = invoke("feedback", *arguments)
    assert (result.exit_code, said in result.output) == (2, True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status_code": 200, "text": "<html>"}, "answers (200), but not as a gateway does"),
        ({"status_code": 502, "json": ["?"]}, "answers (502), but not as a gateway does"),
        ({"status_code": 502, "json": {}}, "answers (502), but not as a gateway does"),
    ],
    ids=["no gateway", "odd", "empty"],
)
def test_feedback_without_a_gateway_says_what_to_check(
    invoke: Invoke, respx_mock: respx.MockRouter, answer: dict[str, Any], said: str
) -> None:
    """Where nothing or something else answers, the command ends with the address and what to do."""
    respx_mock.post("http://127.0.0.1:8000/v1/feedback").respond(**answer)
    result = invoke("feedback", "--request-id", "r", "--up")
    assert (result.exit_code, said in result.output) == (1, True)


def test_feedback_names_the_address_where_nothing_listens(invoke: Invoke) -> None:
    """A refused connection is status 1, with the address and what to do."""
    result = invoke("feedback", "--request-id", "r", "--up", "--url", "http://127.0.0.1:9")
    assert (result.exit_code, "No gateway answers at http://127.0.0.1:9" in result.output) == (1, True)
