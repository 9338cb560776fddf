"""What is kept of prompts and answers where `store_content` is on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions import parse_chat_request
from gateway.proxy.content import MAX_CHARS, MAX_CHOICES, ContentCollector, RequestContent, prompt_text
from gateway.store import StoredContent
from gateway.store.opening import open_store
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.upstreams import answer, failing

ON = "store_content: true\n"


def kept(gateway: GatewayUnderTest, request_id: str) -> StoredContent | None:
    """The content of a request; it is written after the row, so it may be a moment late."""
    deadline = time.monotonic() + 5
    while (found := gateway.store.content(request_id)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def begun(messages: list[dict[str, Any]] | None = None) -> RequestContent:
    body = {"model": "auto", "messages": messages or [{"role": "user", "content": "2+2?"}]}
    return ContentCollector(None).begin(parse_chat_request(orjson.dumps(body)))  # type: ignore[arg-type]  # nothing is written


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"stream": True}),
        ("/v1/messages", {"max_tokens": 100}),
        ("/v1/messages", {"max_tokens": 100, "stream": True, "model": "claude/claude-haiku-5-5"}),
    ],
    ids=["whole", "streamed", "messages", "native stream"],
)
def test_prompt_and_answer_are_kept(make_gateway: MakeGateway, path: str, body: dict[str, Any]) -> None:
    """Whole and streamed answers of any dialect are kept with their prompts."""
    gateway = make_gateway(answer("four"), config=ON)
    response = gateway.ask("What is 2+2?", path=path, **body)
    found = kept(gateway, response.headers["x-request-id"])
    assert found is not None
    assert (found.prompt, found.answer) == ("[user]\nWhat is 2+2?", "four")
    assert found.timestamp == gateway.rows[0]["timestamp"]


def test_failed_request_keeps_its_prompt(make_gateway: MakeGateway) -> None:
    """Where nobody answered there is a prompt and an empty answer."""
    gateway = make_gateway(failing(400, "gemini", "claude", "openrouter"), config=ON)
    found = kept(gateway, gateway.ask("Why?").headers["x-request-id"])
    assert found is not None
    assert (found.prompt, found.answer) == ("[user]\nWhy?", "")


def test_nothing_is_kept_unless_it_is_on(make_gateway: MakeGateway) -> None:
    """By default the ledger has neither prompts nor answers."""
    gateway = make_gateway()
    request_id = gateway.ask().headers["x-request-id"]
    gateway.ask()  # a write that would follow the first row's is done
    assert gateway.store.content(request_id) is None


def test_content_is_on_the_page_escaped_and_nowhere_else(
    make_gateway: MakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The page of the request shows it as text; the row of the API, the CSV and the log do not have it."""
    caplog.set_level(logging.DEBUG)
    gateway = make_gateway(answer("<b>four</b>"), config=ON)
    request_id = gateway.ask("<script>secret</script>").headers["x-request-id"]
    assert kept(gateway, request_id) is not None
    page = gateway.client.get(f"/dashboard/requests/{request_id}").text
    assert "&lt;script&gt;secret&lt;/script&gt;" in page
    assert "&lt;b&gt;four&lt;/b&gt;" in page
    assert "<script>secret" not in page
    for path in (f"/v1/routing/requests/{request_id}", "/v1/routing/requests?format=csv"):
        assert "secret" not in gateway.client.get(path).text
    assert "secret" not in caplog.text


def test_content_needs_the_admin_key(make_gateway: MakeGateway) -> None:
    """A client's key does not open the page."""
    keys = {"GEMINI_API_KEY": "k", "GATEWAY_API_KEY": "client", "GATEWAY_ADMIN_KEY": "admin"}
    gateway = make_gateway(environment=keys, config=ON)
    headers = {"authorization": "Bearer client"}
    body = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}
    request_id = gateway.client.post("/v1/chat/completions", json=body, headers=headers).headers["x-request-id"]
    assert kept(gateway, request_id) is not None
    assert gateway.client.get(f"/dashboard/requests/{request_id}", headers=headers).status_code in (401, 403)


def test_prompt_has_roles_calls_and_kinds_of_parts() -> None:
    """Each message follows its role; pictures are named by their kind, calls by function and arguments."""
    call = {"id": "c", "type": "function", "function": {"name": "sum", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "See"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    assert prompt_text(messages) == "[system]\nBe short.\n\n[user]\nSee[image_url]\n\n[assistant]\nsum{}"


def test_long_prompt_keeps_its_end() -> None:
    """The newest characters are kept, and a mark says that there were more."""
    messages = [{"role": "user", "content": letter * 100} for letter in "abc"]
    text = prompt_text(messages, 150)
    assert text == "[the beginning is not kept]\n" + "b" * 39 + "\n\n[user]\n" + "c" * 100


def test_long_answer_keeps_its_beginning() -> None:
    """Of all choices together no more than the limit is kept, and what is left out is counted."""
    content = begun()
    content.add({"delta": {"content": "x" * (MAX_CHARS - 1)}})
    content.add({"delta": {"content": "yyy"}})
    content.add({"delta": {"content": "zz"}})
    assert content.answer == "x" * (MAX_CHARS - 1) + "y\n[the last 4 characters are not kept]"


def test_choices_of_an_answer_are_kept_apart() -> None:
    """The pieces of each choice are joined, however they come; there is a most of choices."""
    content = begun()
    for index, text in ((1, "b"), (0, "a"), (1, "B"), (0, "A")):
        content.add({"index": index, "delta": {"content": text}})
    assert content.answer == "[choice 0]\naA\n[choice 1]\nbB\n"
    many = begun()
    for index in range(MAX_CHOICES + 1):
        many.add({"index": index, "message": {"content": "x"}})
    assert many.answer.count("[choice") == MAX_CHOICES


async def test_content_that_would_wait_too_long_is_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While too many characters wait for the ledger content is dropped, which is logged once; afterwards it is kept again."""
    with closing(open_store(tmp_path / "gateway.db")) as store:
        collector = ContentCollector(store, most=10)
        for name in ("a", "b", "c"):
            collector.write(StoredContent(name, "2026-11-22", "12345", "678"))
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        await until(lambda: store.content("a") is not None)

        def written() -> bool:
            collector.write(StoredContent("d", "2026-11-22", "12345", "678"))
            return store.content("d") is not None

        await until(written)
        assert (store.content("b"), store.content("c")) == (None, None)


async def test_content_that_cannot_be_written_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A ledger that fails is logged without the content; nobody waits."""
    store = open_store(tmp_path / "gateway.db")
    store.close()
    collector = ContentCollector(store)
    collector.write(StoredContent("a", "2026-11-22", "secret", "secret"))
    await until(lambda: bool(caplog.records))
    assert "the content of a could not be kept" in caplog.text
    assert "secret" not in caplog.text


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in the ledger's thread
            await asyncio.sleep(0.005)
