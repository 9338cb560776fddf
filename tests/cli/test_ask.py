"""`gateway ask`."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import respx

from llm_simulator import Simulator
from tests.cli.conftest import Invoke
from tests.conftest import KEYS, MakeGateway

CHAT = "http://127.0.0.1:8000/v1/chat/completions"


def stream(*chunks: object, end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {orjson.dumps(chunk).decode()}\n\n" for chunk in chunks) + end


def said(text: str) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}}]}


def test_ask_prints_the_answer_and_what_it_cost(make_gateway: MakeGateway, invoke: Invoke) -> None:
    """The answer of the running gateway is standard output; the model, the cost and the reason are standard error."""
    key = "a-client-key-of-the-tests"
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": key})
    result = invoke("ask", "Hello", "--url", str(gateway.client.base_url), GATEWAY_API_KEY=key)
    (row,) = gateway.rows
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()
    assert result.stderr.startswith(f"{row['selected_provider']}/{row['selected_model']}, $")
    assert row["reasoning"][:40] in result.stderr
    refused = invoke(
        "ask", "Hello", "--model", "nobody/nothing", "--url", str(gateway.client.base_url), GATEWAY_API_KEY=key
    )
    assert (refused.exit_code, "refused (404)" in refused.output) == (1, True)


def test_ask_escapes_what_a_terminal_would_obey(invoke: Invoke, respx_mock: respx.MockRouter) -> None:
    """Control characters of an answer are escaped, tabs and line ends are not; facts that the gateway does not have are unknown."""
    chunks: tuple[object, ...] = (
        said("if x:\n\treturn\x1b[2J"),
        {"choices": [{"delta": {}}]},
        {"usage": {"cost": None}, "choices": []},
    )
    respx_mock.post(CHAT).respond(200, text=stream(*chunks))
    result = invoke("ask", "Hello", "--model", "auto:cheap")
    assert result.stdout == "if x:\n\treturn\\u001b[2J\n"
    assert result.stderr == "unknown model, unknown cost\n"
    assert orjson.loads(respx_mock.calls.last.request.content)["model"] == "auto:cheap"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (stream(said("Hel"), end=""), "before it was complete"),
        (stream(said("Hel"), {"error": {"message": "the upstream broke off"}}), "the upstream broke off"),
        (stream(said("Hel"), end="data: <html>\n\n"), "not as a gateway does"),
    ],
    ids=["no end", "error", "no JSON"],
)
def test_a_broken_answer_is_status_1(invoke: Invoke, respx_mock: respx.MockRouter, text: str, sentence: str) -> None:
    """What came is printed, and the command ends with 1 and a sentence."""
    respx_mock.post(CHAT).respond(200, text=text)
    result = invoke("ask", "Hello")
    assert (result.exit_code, result.stdout, sentence in result.stderr) == (1, "Hel\n", True)


def test_ask_names_the_address_where_nothing_listens(invoke: Invoke) -> None:
    """A refused connection is status 1, with the address and what to do."""
    result = invoke("ask", "Hello", "--url", "http://127.0.0.1:9")
    assert (result.exit_code, "No gateway answers at http://127.0.0.1:9" in result.output) == (1, True)


def test_ask_serves_itself_where_no_gateway_runs(invoke: Invoke) -> None:
    """Without a running gateway and without --url the providers are asked by one in this process, which writes the row."""
    with Simulator() as urls:
        given = {**KEYS, **urls, "GATEWAY_PORT": "9", "GATEWAY_API_KEY": "a-client-key-of-the-tests"}
        result = invoke("ask", "What is the capital of France?", "--model", "auto:cheap", **given)
        refused = invoke("ask", "Hello", "--model", "nobody", **given)
    assert result.exit_code == 0, result.output
    assert "capital of France" in result.stdout
    assert result.stderr.startswith(
        "No gateway runs at http://127.0.0.1:9: asking gemini, claude, openrouter from here."
    )
    (row,) = [orjson.loads(line) for line in invoke("requests", "--json").stdout.splitlines()]
    assert (row["status"], f"{row['selected_provider']}/{row['selected_model']}, $" in result.stderr) == ("ok", True)
    assert (refused.exit_code, "The gateway of this command refused (404)" in refused.stderr) == (1, True)


def test_ask_without_gateway_and_provider_says_what_to_start(invoke: Invoke) -> None:
    """Where nothing can answer, the sentence names the demo and the keys, and no ledger is created."""
    result = invoke("ask", "Hello", GATEWAY_PORT="9")
    assert (result.exit_code, "gateway demo" in result.output, "GEMINI_API_KEY" in result.output) == (1, True, True)
    assert "no ledger" in invoke("report").output


def test_ask_tells_why_the_ledger_cannot_be_opened(invoke: Invoke, db: Path) -> None:
    """A ledger that cannot be written is status 1 with its reason."""
    db.mkdir()
    result = invoke("ask", "Hello", GATEWAY_PORT="9", **KEYS)
    assert (result.exit_code, str(db) in result.stderr) == (1, True)


def test_ask_gives_up_on_an_address_that_is_none(invoke: Invoke) -> None:
    """A URL that no client can call is status 1 with the URL."""
    result = invoke("ask", "Hello", "--url", "http://[::1")
    assert (result.exit_code, "No gateway answers at http://[::1" in result.output) == (1, True)
