"""Simulated people, in front of a server that notes what they ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from typing import Any

import pytest

from llm_simulator.users import STRONG_MODEL, Users


@dataclass
class Gateway:
    """A server that answers as `model`; `status` is that of every answer."""

    model: str = "claude-fable-5-2"
    status: int = 200
    url: str = ""
    asked: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)

    @property
    def chats(self) -> list[dict[str, Any]]:
        return [body for path, body, _ in self.asked if path == "/v1/chat/completions"]

    @property
    def ratings(self) -> list[dict[str, Any]]:
        return [body for path, body, _ in self.asked if path == "/v1/feedback"]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    told = Gateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            told.asked.append((self.path, json.loads(raw), self.headers["authorization"]))
            body = json.dumps({"choices": [{"message": {"content": "Fine."}}]}).encode()
            self.send_response(told.status)
            self.send_header("content-length", str(len(body)))
            self.send_header("X-Request-Id", f"r{len(told.asked)}")
            self.send_header("X-Gateway-Model", told.model)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        yield told
        server.shutdown()


def lived(gateway: Gateway, *, requests: int = 150, seed: int = 0, **facts: Any) -> Users:
    users = Users(requests=requests, seed=seed, pause=0.0, **facts)
    users.start(gateway.url)
    users.join()
    return users


def test_they_ask_as_often_as_they_are_told(gateway: Gateway) -> None:
    """So many chats and no more; some are streamed, some go on, some are rated by what the answer is worth."""
    users = lived(gateway)
    assert users.sent == len(gateway.chats) == 150
    assert users.rated == len(gateway.ratings) > 10
    assert all(each["score"] > 0.6 for each in gateway.ratings)
    assert {each["stream"] for each in gateway.chats} == {True, False}
    assert max(len(each["messages"]) for each in gateway.chats) > 2
    assert {each["model"] for each in gateway.chats} == {"auto"}


def test_the_same_seed_asks_the_same(gateway: Gateway) -> None:
    """What they do depends on the seed and the answers alone."""
    lived(gateway, requests=40)
    first = list(gateway.asked)
    gateway.asked.clear()
    lived(gateway, requests=40)
    assert gateway.asked == first
    gateway.asked.clear()
    lived(gateway, requests=40, seed=1)
    assert gateway.asked != first


def test_bad_answer_is_repeated_or_escalated_by_some_users(gateway: Gateway) -> None:
    """After a bad answer some ask the same again, some name a strong model."""
    gateway.model = "gpt-3.5"
    lived(gateway, requests=300)
    models = [each["model"] for each in gateway.chats]
    assert STRONG_MODEL in models
    said = [each["messages"][-1]["content"] for each in gateway.chats]
    assert any(before == after for before, after in pairwise(said))


def test_errors_are_accepted_and_never_rated(gateway: Gateway) -> None:
    """They take no for an answer, and rate none."""
    gateway.status = 503
    assert lived(gateway, requests=20).sent == 20
    assert gateway.ratings == []


def test_users_send_their_given_key(gateway: Gateway) -> None:
    """They send the key they were given."""
    lived(gateway, requests=3, api_key="k")
    assert {key for _, _, key in gateway.asked} == {"Bearer k"}


def test_nobody_is_there() -> None:
    """Without a gateway they leave."""
    users = Users(requests=9, pause=0.0)
    users.start("http://127.0.0.1:9")
    users.join()
    assert users.sent == 1


def test_they_can_be_sent_away(gateway: Gateway) -> None:
    """They leave when told, also before they came."""
    users = Users(requests=1_000_000, pause=30.0)
    users.stop()
    users = Users(requests=1_000_000, pause=30.0)
    users.start(gateway.url)
    users.stop()
    assert users.sent <= 1


def test_nobody_comes_where_there_is_nothing_to_send(gateway: Gateway) -> None:
    """Users without requests connect to nobody and say nothing."""
    users = Users(requests=0)
    users.start(gateway.url)
    users.stop()
    assert (users.sent, gateway.asked) == (0, [])
