"""Every fault that the simulator knows, told by each vendor in its own words, through the whole gateway on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
import pytest
from starlette.testclient import TestClient

from gateway.app import Environment, create_app
from gateway.catalog.packaged import packaged_file
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport import Transport
from gateway.transport.http1_client import Http1Transport
from gateway.transport.httpx_client import HttpxTransport
from llm_simulator import FAULTS, Simulator

ENGINES: dict[str, Callable[[], Transport]] = {"builtin": Http1Transport, "httpx": HttpxTransport}
KEYS = dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated")
MODELS = ("gemini/gemini-3.6-flash", "claude/claude-haiku-4-5", "openrouter/qwen/qwen3.8-flash")
PATIENCE = "{connect: 10, first_byte: 20, thinking: 20, idle: 20, total: 60}"
HASTE = {
    "hang": "{connect: 10, first_byte: 0.05, thinking: 0.05, total: 0.05}",
    "hang_mid": "{connect: 10, idle: 0.05, total: 0.05}",
    "drip": "{connect: 10, total: 0.1, stream: 0.1}",
}
VALUES = {"slow": "=0.005", "huge": "=65", "gzip_bomb": "=1"}

# What the client of a named model is told: HTTP status and code (its type where there is no code).
TOLD = {
    "bad_request": (400, "invalid_request_error"),
    "context_length": (400, "context_length_exceeded"),
    "spend_limit": (503, "upstream_account_empty"),
    "unauthorized": (502, "upstream_auth"),
    "payment_required": (503, "upstream_account_empty"),
    "forbidden": (502, "upstream_auth"),
    "not_found": (404, "model_not_found"),
    "request_timeout": (504, "upstream_timeout"),
    "too_large": (413, "request_too_large"),
    "rate_limit": (429, "rate_limit_exceeded"),
    "rate_limit_date": (429, "rate_limit_exceeded"),
    "rate_limit_ms": (429, "rate_limit_exceeded"),
    "rate_limit_absurd": (429, "rate_limit_exceeded"),
    "rate_limit_bare": (429, "rate_limit_exceeded"),
    "insufficient_quota": (503, "upstream_account_empty"),
    "server_error": (502, "upstream_error"),
    "bad_gateway": (502, "upstream_error"),
    "unavailable": (503, "upstream_overloaded"),
    "gateway_timeout": (504, "upstream_timeout"),
    "overloaded": (503, "upstream_overloaded"),
    "status": (502, "upstream_invalid_response"),
    "error_200": (503, "upstream_overloaded"),
    "choice_error": (503, "upstream_overloaded"),
    "first_event_error": (503, "upstream_overloaded"),
    "mid_error": (502, "upstream_error"),
    "nan_usage": (502, "upstream_invalid_response"),
    "html": (502, "upstream_invalid_response"),
    "html_502": (502, "upstream_error"),
    "empty": (502, "upstream_invalid_response"),
    "truncated": (502, "upstream_invalid_response"),
    "invalid_json": (502, "upstream_invalid_response"),
    "hang": (504, "upstream_timeout"),
    "hang_mid": (504, "upstream_timeout"),
    "drip": (504, "upstream_timeout"),
    "cut": (502, "upstream_invalid_response"),
    "abort": (502, "upstream_truncated"),
    "reset": (502, "upstream_truncated"),
    "reset_early": (502, "upstream_unreachable"),
    "huge": (502, "upstream_invalid_response"),
    "gzip_bomb": (502, "upstream_invalid_response"),
    "redirect": (502, "upstream_invalid_response"),
    "bad_status_line": (502, "upstream_invalid_response"),
    "huge_header": (502, "upstream_invalid_response"),
}
# A stream is told the same, unless it had begun (then in an event, with this code) or the fault does it no harm (None).
STREAMED = {
    "mid_error": "upstream_error",
    "truncated": "upstream_invalid_response",
    "invalid_json": "upstream_invalid_response",
    "hang_mid": "upstream_timeout",
    "cut": "upstream_truncated",
    "abort": "upstream_truncated",
    "reset": "upstream_truncated",
    "huge": None,
    "nan_usage@openrouter": "upstream_invalid_response",
}
# Where a vendor has no such fault, or means something else by it.
VENDORS: dict[tuple[str, str], tuple[int, str]] = {
    ("forbidden", "openrouter"): (400, "invalid_request_error"),  # flagged input, not the key
    ("insufficient_quota", "gemini"): (429, "rate_limit_exceeded"),  # the quota of a day and of one model
    ("malformed_call", "gemini"): (502, "upstream_invalid_response"),
}
WAITS = {"rate_limit": {"7"}, "rate_limit_date": {"6", "7", "8"}, "rate_limit_ms": {"7"}, "rate_limit_absurd": {"600"}}
CLIENTS = {"bad_request", "context_length", "too_large"}
ESTIMATED = {"no_usage", "null_usage", "negative_usage", "string_usage", "absurd_usage"}


@dataclass(slots=True)
class Hours:
    """A clock on which an hour passes between requests, so that no rest of the one before reaches the next."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Behind:
    """A gateway before the simulator."""

    client: TestClient
    store: SqliteStore
    clock: Hours

    def ask(self, fault: str, *, model: str, stream: bool, query: str = "") -> httpx2.Response:
        self.clock.now += 3600
        messages = [{"role": "user", "content": f"Hello [[fault:{fault}]]"}]
        body = {"model": model, "stream": stream, "messages": messages}
        return self.client.post(f"/v1/chat/completions{query}", json=body)


MakeBehind = Callable[..., Behind]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeBehind]:
    """The gateway with this engine, these timeouts and number of attempts; each made once. With more than one attempt only Gemini has these timeouts."""
    made: dict[tuple[str, str, int], Behind] = {}
    with ExitStack() as stack:
        urls = stack.enter_context(Simulator(seed=1))

        def make(engine: str, timeouts: str, *, attempts: int) -> Behind:
            key = engine, timeouts, attempts
            if key not in made:
                folder = tmp_path_factory.mktemp("behind")
                common = timeouts if attempts == 1 else PATIENCE
                (folder / "gateway.yaml").write_text(f"timeouts: {common}\nmax_attempts: {attempts}\n")
                if attempts > 1:
                    rows = packaged_file("providers.yaml").read_text()
                    own = rows.replace("    kind: gemini\n", f"    kind: gemini\n    timeouts: {timeouts}\n")
                    (folder / "providers.yaml").write_text(own)
                made[key] = started(folder, ENGINES[engine](), urls=dict(urls), stack=stack)
            return made[key]

        yield make


def started(folder: Path, transport: Transport, *, urls: dict[str, str], stack: ExitStack) -> Behind:
    files = {"GATEWAY_DB": str(folder / "gateway.db"), "GATEWAY_CONFIG": str(folder / "gateway.yaml")}
    settings = load({**KEYS, **urls, **files})
    store, clock = SqliteStore(settings.db), Hours()
    app = create_app(settings, transport=transport, store=store, environment=Environment(clock=clock, seed=0))
    client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    return Behind(stack.enter_context(client), store, clock)


def told(answer: httpx2.Response) -> tuple[int, str | None]:
    """Status and code as the client sees them; no code for what went well."""
    if answer.status_code != 200:
        error = answer.json()["error"]
    elif answer.headers["content-type"] == "application/json":
        return 200, None
    else:
        *_, last = answer.text.rstrip().split("\n\n")
        if last == "data: [DONE]":
            return 200, None
        error = orjson.loads(last.removeprefix("data: "))["error"]
        assert "[DONE]" not in answer.text
    return answer.status_code, error["code"] or error["type"]


def expected(fault: str, vendor: str, *, stream: bool) -> tuple[int, str | None]:
    if stream:
        for name in (fault, f"{fault}@{vendor}"):
            if name in STREAMED:
                return 200, STREAMED[name]
    if fault == "empty" and stream:
        return 502, "upstream_truncated"
    return VENDORS.get((fault, vendor), TOLD.get(fault, (200, None)))


def ending(status: int, code: str | None) -> str:
    """How the attempt ended: what may be billed is charged by estimate."""
    if code is None:
        return "settled"
    # Here an upstream is unreachable (`reset_early`) only after the request was sent.
    maybe = {"upstream_timeout", "upstream_invalid_response", "upstream_truncated", "upstream_unreachable"}
    billed = status == 200 or code in maybe
    return "unknown_estimated" if billed else "failed_free"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_a_named_model_reaches_client_and_ledger(behind: MakeBehind, engine: str, fault: str) -> None:
    """Whatever goes wrong, the client is told what it was, and one row with one end says so too; a broken stream never looks whole."""
    gateway = behind(engine, HASTE.get(fault, PATIENCE), attempts=1)
    for model in MODELS[2:] if fault == "huge" else MODELS:
        vendor = model.partition("/")[0]
        for stream in (False, True):
            answer = gateway.ask(fault + VALUES.get(fault, ""), model=model, stream=stream)
            status, code = told(answer)
            assert (model, stream, status, code) == (model, stream, *expected(fault, vendor, stream=stream))
            if code == "rate_limit_exceeded":
                assert answer.headers.get("retry-after", "none") in WAITS.get(fault, {"none"})
            row = gateway.store.request(answer.headers["x-request-id"])
            assert row is not None
            assert (row["status"], row["http_status"], row["error_code"]) == ("error" if code else "ok", status, code)
            assert [attempt["status"] for attempt in row["attempts"]] == [ending(status, code)]
            assert row["estimated"] == (fault in ESTIMATED or row["attempts"][0]["status"] == "unknown_estimated")
            assert 0 <= row["actual_cost"] < 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", [fault for fault in TOLD if fault not in CLIENTS])
def test_auto_falls_back_before_the_first_byte(behind: MakeBehind, engine: str, fault: str) -> None:
    """Under `auto` another candidate answers wherever the failure came before the first byte, and the row says why."""
    gateway = behind(engine, HASTE.get(fault, PATIENCE), attempts=3)
    for stream in (False, True):
        if stream and fault in STREAMED:
            continue
        order = f"{fault}{VALUES.get(fault, '')}@gemini"
        answer = gateway.ask(order, model="auto", stream=stream, query="?auto_route=false")
        assert told(answer) == (200, None)
        row = gateway.store.request(answer.headers["x-request-id"])
        assert row is not None
        code = expected(fault, "gemini", stream=stream)[1]
        *failed, answered = row["attempts"]
        # On a kept connection a reset may only mean that it was idle for too long, so the same model is asked once more.
        assert [attempt["error"] for attempt in failed] in ([code], [code] * 2 if fault == "reset_early" else [code])
        assert {attempt["provider"] for attempt in failed} == {"gemini"}
        assert answer.headers["x-gateway-provider"] == answered["provider"] != "gemini"
        assert (row["status"], row["fallback_used"]) == ("ok", True)
        assert row["fallback_reason"].startswith("upstream: gemini/")
