"""Canaries: keys that nothing may show, and a prompt that only its upstream and its own answer may."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.observability.logs import logging_to
from gateway.settings import load, start_up_lines
from tests.cli.conftest import OURS
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.tenants import ask_as, issue
from tests.upstreams import answer

PROVIDER_KEYS = {
    "GEMINI_API_KEY": "AIzaSyCanaryGeminiOne0123456789abcdefgh,AIzaSyCanaryGeminiTwo0123456789abcdefgh",
    "ANTHROPIC_API_KEY": "sk-ant-canary-claude-0123456789",
    "OPENROUTER_API_KEY": "sk-or-v1-canary-openrouter-0123456789",
}
CLIENT_KEYS = {"GATEWAY_API_KEY": "canary-client-key-0123456789", "GATEWAY_ADMIN_KEY": "canary-admin-key-0123456789"}
TENANT = "gw-canary-of-the-tests"
SECRETS = [key for value in (*PROVIDER_KEYS.values(), *CLIENT_KEYS.values()) for key in value.split(",")] + [TENANT]
MARKER = "xylophone-quagmire-7731"
PROMPT = f"Please translate {MARKER} into French"
MODELS = ("auto", "gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash")
COMMANDS = (
    *(
        "report",
        "report --json",
        "report --shadow",
        "keys list",
        "keys list --json",
        "doctor",
        "models",
        "models --json",
    ),
    *("route hello", "route hello --json", "serve --port 70000", "serve --workers 0", "keys rotate nobody"),
)
ADMIN_PATHS = (
    *("/", "/metrics", "/v1/routing/summary", "/v1/routing/confidence", "/v1/routing/patterns", "/v1/routing/timeline"),
    "/v1/routing/requests",
)


class Indiscreet:
    """An upstream that answers, or fails in ways that repeat the keys and the prompt it was sent."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.asked: list[bytes] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.content)
        if self.status is None:
            return answer("bonjour")(request)
        sent = [value for name, value in request.headers.items() if "key" in name or name == "authorization"]
        told = f"invalid: {' '.join(sent)}"
        if self.status >= 500:
            told += request.content.decode()
        return httpx2.Response(self.status, json={"error": {"message": told, "code": self.status, "status": told}})


def walked(thing: Any, seen: set[int]) -> Iterator[str]:
    """The repr of everything that can be reached from a thing of the gateway's, four steps deep at the most."""
    frontier = [thing]
    for _ in range(5):
        found: list[Any] = []
        for each in frontier:
            if id(each) in seen:
                continue
            seen.add(id(each))
            yield repr(each)
            found += getattr(each, "__dict__", {}).values()
        frontier = [each for each in found if type(each).__module__.startswith("gateway")]


@pytest.fixture
def upstream() -> Indiscreet:
    return Indiscreet()


@pytest.fixture
def shown(make_gateway: MakeGateway, upstream: Indiscreet, tmp_path: Path) -> dict[str, str]:
    """All that a day at the gateway has shown, by where: answers, pages, logs, ledger, reprs."""
    lines = io.StringIO()
    with logging_to(lines, level="DEBUG"):
        logging.getLogger("httpcore2").setLevel(logging.INFO)
        gateway = make_gateway(upstream, environment={**PROVIDER_KEYS, **CLIENT_KEYS})
        issue(gateway, "canary")
        answers = "".join(_asked(gateway, upstream))
        pages = "".join(_read(gateway, path) for path in ADMIN_PATHS)
        pages += "".join(_read(gateway, f"/v1/routing/requests/{row['request_id']}") for row in gateway.rows)
        reprs = "".join(walked(gateway.app.state.gateway, set()))
    settings = load({**PROVIDER_KEYS, **CLIENT_KEYS, "GATEWAY_DB": str(tmp_path / "gateway.db")})
    files = b"".join(path.read_bytes() for path in tmp_path.glob("gateway.db*"))
    start = "\n".join([repr(settings), *start_up_lines(settings)])
    ledger = files.decode("latin-1")
    commands = "".join(_commanded(command, tmp_path) for command in COMMANDS)
    return {
        "commands": commands,
        "answers": answers,
        "pages": pages,
        "log": lines.getvalue(),
        "ledger": ledger,
        "repr": reprs + start,
    }


def _asked(gateway: GatewayUnderTest, upstream: Indiscreet) -> Iterator[str]:
    """Every model, streamed and not, with every kind of answer; then requests that are refused."""
    messages = [{"role": "user", "content": PROMPT}]
    for status in (None, 400, 401, 402, 403, 404, 429, 500):
        upstream.status = status
        for model in MODELS:
            for stream in (False, True):
                yield _all_of(ask_as(gateway, TENANT, model, messages=messages, stream=stream))
    yield _all_of(gateway.client.get("/openapi.json", headers={"x-api-key": TENANT}))
    for key in (TENANT, "wrong-key", CLIENT_KEYS["GATEWAY_ADMIN_KEY"]):
        yield _all_of(ask_as(gateway, key, "no/such/model", messages=messages))
        yield _all_of(ask_as(gateway, key, messages=[{"role": "user", "content": 5}]))
        yield _all_of(gateway.client.get("/v1/routing/summary", headers={"x-api-key": key}))
        yield _all_of(
            gateway.client.post("/v1/route", json={"model": "auto", "messages": messages}, headers={"x-api-key": key})
        )


def _commanded(command: str, folder: Path) -> str:
    """What a command writes, with all keys in its environment."""
    unset: dict[str, str | None] = dict.fromkeys(filter(OURS.fullmatch, os.environ))
    keys = {**PROVIDER_KEYS, **CLIENT_KEYS, "GATEWAY_DB": str(folder / "gateway.db")}
    return CliRunner().invoke(main, command.split(), env={**unset, **keys}).output


def _read(gateway: GatewayUnderTest, path: str) -> str:
    response = gateway.client.get(path, headers={"x-api-key": CLIENT_KEYS["GATEWAY_ADMIN_KEY"]})
    assert response.status_code == 200, path
    return _all_of(response)


def _all_of(response: httpx2.Response) -> str:
    return f"{response.headers}\n{response.text}\n"


def test_no_key_is_shown_anywhere(shown: dict[str, str]) -> None:
    """No provider's, client's or admin's key is in any answer, page, log line, ledger file or repr."""
    assert [(where, key[:12]) for where, text in shown.items() for key in SECRETS if key in text] == []


def test_the_prompt_goes_to_the_upstream_only(shown: dict[str, str], upstream: Indiscreet) -> None:
    """What a client asked is in the requests to upstreams, and neither logged nor stored nor on any page."""
    assert sum(MARKER.encode() in asked for asked in upstream.asked) > len(MODELS)
    assert [where for where, text in shown.items() if MARKER in text and where != "answers"] == []


def test_there_was_something_to_see(shown: dict[str, str]) -> None:
    """The canaries flew through all of it: answers, errors, rows, log lines and pages are there."""
    assert "bonjour" in shown["answers"]
    assert "upstream_auth" in shown["answers"]
    assert "request settled" in shown["log"]
    assert "gateway_requests_total" in shown["pages"]
    assert "key_canary" in shown["ledger"]
    assert "total_cost" in shown["commands"]
    assert "key_canary" in shown["commands"]
    assert "AIza" not in shown["repr"]
    assert "Gateway" in shown["repr"]
