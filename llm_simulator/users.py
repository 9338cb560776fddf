"""Simulated people in front of a gateway: they ask, go on, ask again when the answer was bad, and sometimes say how good it was.

They know the truth that the simulated models write by (`quality.answer_quality`), as people know a good answer when they see one.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from llm_simulator.prompts import PromptTemplate, wish
from llm_simulator.quality import answer_quality
from llm_simulator.seeded_random import SeededRandom

log = logging.getLogger(__name__)

PAUSE = 0.05  # seconds between two requests, on average
TIMEOUT = 30.0
# Of a hundred: say what they think, ask again after a bad answer, name a strong model then, go on, read it as a stream.
RATE, AGAIN, STRONGER, GO_ON, STREAM = 25, 30, 15, 30, 25
BAD = 0.45
STRONG_MODEL = "claude/claude-opus-5-5"
KEPT_TURNS = 8


class Users:
    """`requests` requests in all, from a thread of their own, in the order that `seed` gives; `pause` is seconds."""

    def __init__(self, *, requests: int, seed: int = 0, api_key: str | None = None, pause: float = PAUSE) -> None:
        self.asked = 0
        self.rated = 0
        self._requests = requests
        self._seed = seed
        self._api_key = api_key
        self._pause = pause
        self._dice = SeededRandom("users", seed)
        self._messages: list[dict[str, Any]] = []
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, url: str) -> None:
        """Begin to ask the gateway at `url`."""
        self._thread = threading.Thread(target=self._live, args=(url,), name="simulated users", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave after the request under way."""
        self._leaving.set()
        self.join()

    def join(self) -> None:
        """Wait until all is asked."""
        if self._thread is not None:
            self._thread.join()

    def _live(self, url: str) -> None:
        address = urlsplit(url)
        connection = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT)
        try:
            while self.asked < self._requests and not self._leaving.wait(self._pause * 2 * self._dice.unit()):
                self._turn(connection)
        except (OSError, HTTPException) as error:
            log.info("the simulated users leave: %s", error)
        finally:
            connection.close()
        log.info("simulated users: %d requests, %d ratings", self.asked, self.rated)

    def _turn(self, connection: HTTPConnection) -> None:
        """One wish, and what its answer leads to."""
        wanted = wish(self._dice)
        if not self._chance(GO_ON) or len(self._messages) > KEPT_TURNS or wanted.body:
            self._messages = []
        self._messages = [*self._messages, {"role": "user", "content": wanted.prompt}]
        said = self._messages
        quality = self._ask(connection, wanted, model="auto")
        if quality is None or quality >= BAD or self.asked >= self._requests:
            return
        if self._chance(STRONGER):
            self._messages = said
            self._ask(connection, wanted, model=STRONG_MODEL)
        elif self._chance(AGAIN):
            self._messages = said
            self._ask(connection, wanted, model="auto")

    def _ask(self, connection: HTTPConnection, wanted: PromptTemplate, *, model: str) -> float | None:
        """How good the answer was; None for none."""
        self.asked += 1
        stream = not wanted.body and self._chance(STREAM)
        body = {"model": model, "messages": self._messages, "stream": stream, **wanted.body}
        status, headers, raw = self._post(connection, "/v1/chat/completions", body)
        if status != 200:
            self._messages = []
            return None
        self._listen(raw, streamed=stream)
        quality = answer_quality(headers["x-gateway-model"], wanted.prompt, self._seed)
        if model == "auto" and self._chance(RATE):
            said = {"request_id": headers["x-request-id"], "score": quality}
            self.rated += self._post(connection, "/v1/feedback", said)[0] == 200
        return quality

    def _listen(self, raw: bytes, *, streamed: bool) -> None:
        """Keep the answer as the conversation's next turn, where it is a text; otherwise the conversation is over."""
        content = None if streamed else json.loads(raw)["choices"][0]["message"].get("content")
        if isinstance(content, str) and content:
            self._messages = [*self._messages, {"role": "assistant", "content": content}]
        else:
            self._messages = []

    def _post(
        self, connection: HTTPConnection, path: str, body: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"content-type": "application/json"}
        if self._api_key is not None:
            headers["authorization"] = f"Bearer {self._api_key}"
        connection.request("POST", path, body=json.dumps(body), headers=headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def _chance(self, of_a_hundred: int) -> bool:
        return self._dice.below(100) < of_a_hundred
