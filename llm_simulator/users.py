"""Simulated users of a gateway: they ask, continue conversations, ask again after a bad answer, and sometimes rate answers.

Their ratings are the true quality of the answers (`quality.answer_quality`).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from llm_simulator.prompts import PromptTemplate, random_prompt
from llm_simulator.quality import answer_quality
from llm_simulator.seeded_random import SeededRandom

log = logging.getLogger(__name__)

PAUSE = 0.05  # seconds between two requests, on average
TIMEOUT = 30.0
# Probabilities in percent: rate, ask again after a bad answer, name a strong model then, continue, request a stream.
RATE, REPEAT, STRONGER, CONTINUE, STREAM = 25, 30, 15, 30, 25
BAD = 0.45
STRONG_MODEL = "claude/claude-opus-5-5"
MAX_MESSAGES = 8


class Users:
    """Send `requests` requests from a thread, in an order given by `seed`. `pause`: mean seconds between two."""

    def __init__(self, *, requests: int, seed: int = 0, api_key: str | None = None, pause: float = PAUSE) -> None:
        self.sent = 0
        self.rated = 0
        self._requests = requests
        self._seed = seed
        self._api_key = api_key
        self._pause = pause
        self._rng = SeededRandom("users", seed)
        self._messages: list[dict[str, Any]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, url: str) -> None:
        """Start sending requests to the gateway at `url`, if there are any to send."""
        if not self._requests:
            return
        self._thread = threading.Thread(target=self._run, args=(url,), name="simulated users", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current request."""
        self._stopping.set()
        self.join()

    def join(self) -> None:
        """Wait until all requests are sent."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, url: str) -> None:
        address = urlsplit(url)
        connection = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT)
        try:
            while self.sent < self._requests and not self._stopping.wait(self._pause * 2 * self._rng.unit()):
                self._converse(connection)
        except (OSError, HTTPException) as error:
            log.info("the simulated users leave: %s", error)
        finally:
            connection.close()
        log.info("simulated users: %d requests, %d ratings", self.sent, self.rated)

    def _converse(self, connection: HTTPConnection) -> None:
        """Send one prompt, and perhaps repeat it after a bad answer."""
        template = random_prompt(self._rng)
        if not self._chance(CONTINUE) or len(self._messages) > MAX_MESSAGES or template.body:
            self._messages = []
        self._messages = [*self._messages, {"role": "user", "content": template.prompt}]
        messages = self._messages
        quality = self._ask(connection, template, model="auto")
        if quality is None or quality >= BAD or self.sent >= self._requests:
            return
        if self._chance(STRONGER):
            self._messages = messages
            self._ask(connection, template, model=STRONG_MODEL)
        elif self._chance(REPEAT):
            self._messages = messages
            self._ask(connection, template, model="auto")

    def _ask(self, connection: HTTPConnection, template: PromptTemplate, *, model: str) -> float | None:
        """Send the conversation. Returns the quality of the answer, None without an answer."""
        self.sent += 1
        stream = not template.body and self._chance(STREAM)
        body = {"model": model, "messages": self._messages, "stream": stream, **template.body}
        status, headers, raw = self._post(connection, "/v1/chat/completions", body)
        if status != 200:
            self._messages = []
            return None
        self._read_answer(raw, streamed=stream)
        quality = answer_quality(headers["x-gateway-model"], template.prompt, self._seed)
        if model == "auto" and self._chance(RATE):
            messages = {"request_id": headers["x-request-id"], "score": quality}
            self.rated += self._post(connection, "/v1/feedback", messages)[0] == 200
        return quality

    def _read_answer(self, raw: bytes, *, streamed: bool) -> None:
        """Append a text answer to the conversation; any other answer ends it."""
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

    def _chance(self, percent: int) -> bool:
        return self._rng.below(100) < percent
