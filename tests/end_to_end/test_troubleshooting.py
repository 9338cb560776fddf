"""docs/troubleshooting.md quotes messages as they are printed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.errors import LedgerUnavailable
from gateway.settings.environment import VARIABLES
from gateway.store.process_lease import ProcessLease
from gateway.store.workers import listen_for_workers
from gateway.store.workers.worker_session import WorkerSession
from tests.documents import text_of
from tests.end_to_end.conftest import KEYS, Served, serve

UNSET = dict.fromkeys(VARIABLES, "") | dict.fromkeys(KEYS, "")  # an empty variable counts as absent
_MESSAGE = re.compile(r"^\| (?:``(.+?)``|`([^`]+)`) \|", re.MULTILINE)


def quoted_messages() -> list[str]:
    """The first cells of the tables whose first heading is `message`."""
    tables = re.findall(r"^\| message \|.+\n\|---.+\n((?:\|.+\n)+)", text_of("troubleshooting.md"), re.MULTILINE)
    return [double or single for rows in tables for double, single in _MESSAGE.findall(rows)]


def fits(quoted: str, message: str) -> bool:
    """`...` stands for any text."""
    return re.fullmatch(".+".join(re.escape(part) for part in quoted.split("...")), message, re.DOTALL) is not None


def hello(model: str = "auto", text: str = "hi", **members: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


def said(response: httpx2.Response) -> str:
    assert response.status_code >= 400, response.text
    return str(response.json()["error"]["message"])


def start_messages(folder: Path) -> Iterator[str]:
    """What commands print, without their prefix."""
    (folder / "not.db").write_text("not a database, but a text of some length")
    (folder / "gateway.yaml").write_text("limts: {}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        key = {"GEMINI_API_KEY": "x", "GATEWAY_PORT": "0", "GATEWAY_DB": str(folder / "new.db")}
        runs: list[tuple[list[str], dict[str, str]]] = [
            (["serve"], {"GATEWAY_PORT": "0"}),
            (["serve", "--port", str(taken.getsockname()[1])], key),
            (["serve", "--host", "0.0.0.0"], key),
            (["serve", "--config", str(folder / "gateway.yaml")], key),
            (["serve"], {**key, "GATEWAY_PORT": "abc"}),
            (["serve", "--db", str(folder / "not.db")], key),
            (["serve", "--db", str(folder / "nowhere" / "gateway.db")], key),
            (["report", "--db", str(folder / "nosuch.db")], {}),
        ]
        for arguments, environment in runs:
            result = CliRunner().invoke(main, arguments, env={**UNSET, **environment})
            assert result.exit_code in (1, 2), result.output
            line = re.sub(r"^[Ee]rror: ", "", result.output.strip().splitlines()[-1])
            yield line


def open_gateway_messages(served: Served) -> Iterator[str]:
    chat = "/v1/chat/completions"
    bodies: list[tuple[str, Mapping[str, Any]]] = [
        (chat, hello("gpt-4o")),
        (chat, hello(routing={"max_cost": 1e-7})),
        (chat, hello(routing={"providers": ["openai"]})),
        (chat, hello("claude/claude-haiku-4-5", "hi [[fault:unauthorized]]")),
        (chat, hello("claude/claude-haiku-4-5", "hi [[fault:payment_required]]")),
        (chat, hello(text="hi [[fault:503]]")),
        ("/v1/audio/speech", {}),
        ("/v1/responses", {"model": "auto", "input": "x", "previous_response_id": "resp_1"}),
        ("/v1/embeddings", {"model": "auto", "input": "x"}),
        ("/v1beta/models/gemini-3.8-flash:generateContent", {}),
    ]
    with httpx2.Client(base_url=served.url) as client:
        for path, body in bodies:
            yield said(client.post(path, json=body))
        yield said(client.post(chat, content=b"x", headers={"content-type": "application/json"}))
        yield said(client.get("/v1/models", headers={"host": "host.docker.internal:8000"}))
        yield said(client.get("/v1/models", headers={"origin": "https://app.example.com"}))


def keyed_gateway_messages(folder: Path) -> Iterator[str]:
    """Messages about keys."""

    def make(*options: str) -> str:
        arguments = ["keys", "create", "--db", str(folder / "gateway.db"), *options]
        return CliRunner().invoke(main, arguments).stdout.strip()

    poor = make("--name", "poor", "--budget", "0.0000001/day")
    narrow = make("--name", "narrow", "--models", "gemini/*", "--rpm", "1")
    with serve(folder) as served, httpx2.Client(base_url=served.url) as client:

        def ask(key: str, model: str = "auto") -> httpx2.Response:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return client.post("/v1/chat/completions", json=hello(model), headers=headers)

        yield said(ask(""))
        yield said(ask("wrong"))
        yield said(ask(poor))
        yield said(client.get("/metrics", headers={"authorization": f"Bearer {narrow}"}))
        yield said(ask(narrow, "claude/claude-haiku-4-5"))
        yield said(ask(narrow))


def worker_messages(folder: Path) -> Iterator[str]:
    """Messages about the process that writes the ledger for several workers."""
    with pytest.raises(LedgerUnavailable) as refused:
        listen_for_workers(folder / ("long" * 40))
    yield refused.value.message
    session = WorkerSession(folder / "nobody", ProcessLease(folder / "gateway.db"), name="gateway.db")
    yield session.unavailable(ConnectionRefusedError("refused")).message


def test_quoted_messages_are_those_that_are_printed(served: Served, tmp_path: Path) -> None:
    """Each message in the tables is provoked here, and each of these stands in a table.

    Takes some seconds: every fault has its command or request, two gateways are started.
    """
    (tmp_path / "keyed").mkdir()
    with chdir(tmp_path):  # so that no `.env` and no configuration of a developer is read
        started = list(start_messages(tmp_path))
    printed = [*started, *open_gateway_messages(served), *keyed_gateway_messages(tmp_path / "keyed")]
    printed += worker_messages(tmp_path)
    quoted = quoted_messages()
    assert [each for each in printed if not any(fits(one, each) for one in quoted)] == []
    assert [one for one in quoted if not any(fits(one, each) for each in printed)] == []
