"""Keeps the prompts and answers of requests for the operator, where `store_content` is on.

What is kept of one request is collected while it is served, and written after its row is committed. Content that cannot be
written is lost; the answer does not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from io import StringIO

from gateway.completion import ChatRequest, Json
from gateway.proxy.answer_text import texts_of
from gateway.records import RequestRecord
from gateway.store import InsertContent, Store, StoredContent

log = logging.getLogger(__name__)

MAX_CHARS = 256 * 1024  # of a prompt, and of an answer
MAX_CHOICES = 16  # of an answer; further ones are left out
# Characters that may wait for the ledger. Content that comes while so much waits is not kept.
MAX_WAITING = 64 * 1024 * 1024


class RequestContent:
    """What is kept of one request: a reference to its messages, and the beginning of its answer."""

    def __init__(self, collector: ContentCollector, messages: Sequence[Json]) -> None:
        self._collector = collector
        self._messages = messages
        self._choices: dict[int, StringIO] = {}
        self._left = MAX_CHARS

    def add(self, choice: Json) -> None:
        """Takes a choice of an answer or of a chunk."""
        for text in texts_of(choice.get("message") or choice.get("delta") or {}):
            index = choice.get("index") or 0
            if self._left > 0 and (index in self._choices or len(self._choices) < MAX_CHOICES):
                self._choices.setdefault(index, StringIO()).write(text[: self._left])
            self._left -= len(text)

    @property
    def answer(self) -> str:
        """The text of the answer; that of each choice where there are several."""
        texts = [self._choices[index].getvalue() for index in sorted(self._choices)]
        if len(texts) > 1:
            texts = [f"[choice {number}]\n{text}\n" for number, text in enumerate(texts)]
        if self._left < 0:
            texts.append(f"\n[the last {-self._left:,} characters are not kept]")
        return "".join(texts)

    def store(self, record: RequestRecord) -> None:
        """The row is committed: write what was collected."""
        self._collector.write(
            StoredContent(record.request_id, record.timestamp, prompt_text(self._messages), self.answer)
        )


class ContentCollector:
    """Writes content to the ledger; `most` is the number of characters that may wait for it."""

    def __init__(self, store: Store, *, most: int = MAX_WAITING) -> None:
        self._store = store
        self._most = most
        self._waiting = 0
        self._full = False

    def begin(self, request: ChatRequest) -> RequestContent:
        return RequestContent(self, request.messages)

    def write(self, content: StoredContent) -> None:
        """From the event loop. Waits for nothing."""
        size = len(content.prompt) + len(content.answer)
        if self._waiting + size > self._most:
            if not self._full:
                log.warning("the ledger is behind: prompts and answers are not kept until it has caught up")
            self._full = True
            return
        self._waiting += size

        def written(future: asyncio.Future[None]) -> None:
            self._waiting -= size
            self._full = False
            if (error := future.exception()) is not None:
                log.warning("the content of %s could not be kept: %s", content.request_id, error)

        self._store.write(InsertContent(content)).add_done_callback(written)


def prompt_text(messages: Sequence[Json], most: int = MAX_CHARS) -> str:
    """The messages with their roles: the newest `most` characters, because a conversation repeats its beginning in each request.

    The work ends with the last character that is kept.
    """
    kept: list[str] = []
    left = most
    for message in reversed(messages):
        for text in reversed((f"[{message.get('role')}]\n", *_parts_of(message), "\n\n")):
            if left <= 0:
                return "[the beginning is not kept]\n" + "".join(reversed(kept)).rstrip()
            kept.append(text[-left:])
            left -= len(text)
    return "".join(reversed(kept)).rstrip()


def _parts_of(message: Json) -> Iterator[str]:
    """The texts and calls of a message; parts of other kinds, such as images, by their kind."""
    yield from texts_of(message)
    content = message.get("content")
    if isinstance(content, list):
        yield from (f"[{part.get('type')}]" for part in content if not isinstance(part.get("text"), str))
