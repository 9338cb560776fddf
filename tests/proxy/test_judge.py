"""The judge: which answers it rates, what it costs, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import httpx2
import orjson
import pytest

from gateway.accounts.daily_spending import DailySpending
from gateway.app import Gateway
from gateway.completion import ChatRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.proxy.judge import Judge, JudgedResult, JudgeQueue, rating_of
from gateway.proxy.outcomes import OutcomeCollector
from gateway.records import Feedback, RequestRecord
from gateway.routing import Planner
from gateway.store import InsertFeedback
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.upstreams import answer

JUDGE = "openrouter/qwen/qwen3.8-flash"
ALL = f"judge: {{model: {JUDGE}, share: 1.0}}\n"
FLASH = {"models": ["gemini/gemini-3.8-flash"]}


def upstream(reply: str, *, status: int = 200) -> Callable[[httpx2.Request], httpx2.Response]:
    """The judge at OpenRouter says `reply`; everybody else answers as usual."""
    usual = answer("Paris.")

    def respond(request: httpx2.Request) -> httpx2.Response:
        if "openrouter" not in str(request.url):
            return usual(request)
        if status != 200:
            return httpx2.Response(status, json={"error": {"message": "no", "code": status}})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}
        usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "cost": 0.001}
        return httpx2.Response(200, json={"id": "j", "created": 1, "model": "m", "choices": [choice], "usage": usage})

    return respond


def rated(gateway: GatewayUnderTest, *, rows: int) -> list[dict[str, Any]]:
    """The rows, once so many of them are settled and their outcomes stored."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [row for row in gateway.rows if row["status"] != "open"]
        if len(found) >= rows:
            gateway.store.flush()
            return found
        time.sleep(0.01)
    raise AssertionError(f"only {len(gateway.rows)} rows")


def labels(gateway: GatewayUnderTest) -> list[tuple[str, float | None]]:
    gateway.store.flush()
    return [(each.model, each.quality) for each in gateway.store.outcomes() if each.source == "judge"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_rated_after_it_was_sent(make_gateway: MakeGateway, stream: bool) -> None:
    """The rating is an outcome of the answering model; the judge's call has a row of its own, with its cost."""
    gateway = make_gateway(upstream("8"), config=ALL)
    gateway.ask("What is the capital of France?", routing=FLASH, stream=stream)
    first, second = rated(gateway, rows=2)
    assert (first["endpoint"], second["endpoint"]) == ("chat_completions", "judge")
    assert (second["strategy_used"], second["actual_cost"]) == ("pinned", 0.001)
    wait_until(lambda: labels(gateway) == [("gemini-3.8-flash", 0.8)])
    assert gateway.store.judge_cost(since="2000") == Decimal("0.001")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_named_models_are_not_rated(make_gateway: MakeGateway) -> None:
    """Neither the client's choice nor the judge's own answers say something about routing."""
    gateway = make_gateway(upstream("8"), config=ALL)
    gateway.ask("Hello", model="gemini/gemini-3.8-flash")
    gateway.ask("Hello", routing=FLASH)
    assert [row["endpoint"] for row in rated(gateway, rows=3)] == ["chat_completions", "chat_completions", "judge"]


def test_the_cap_of_the_day_ends_the_ratings(make_gateway: MakeGateway) -> None:
    """Once the judge has cost its share of USD, no answer is rated."""
    gateway = make_gateway(upstream("8"), config=f"judge: {{model: {JUDGE}, share: 1.0, daily_usd: 0.001}}\n")
    gateway.ask("Hello", routing=FLASH)
    rated(gateway, rows=2)
    wait_until(lambda: len(labels(gateway)) == 1)
    gateway.ask("Good morning", routing=FLASH)
    assert [row["endpoint"] for row in rated(gateway, rows=3)] == ["chat_completions", "judge", "chat_completions"]


@pytest.mark.parametrize(("reply", "status"), [("Very good!", 200), ("8", 400)])
def test_a_judge_without_a_rating_teaches_nothing(
    make_gateway: MakeGateway, caplog: pytest.LogCaptureFixture, reply: str, status: int
) -> None:
    """A reply without a number, or an error, is logged without the reply."""
    gateway = make_gateway(upstream(reply, status=status), config=ALL)
    gateway.ask("Hello", routing=FLASH)
    rated(gateway, rows=2)
    wait_until(lambda: "the judge" in caplog.text)
    assert labels(gateway) == []
    assert "Very good" not in caplog.text
    assert "Paris" not in caplog.text


def test_a_judge_that_cannot_be_asked_is_logged(make_gateway: MakeGateway, caplog: pytest.LogCaptureFixture) -> None:
    """A judge whose provider has no key costs nothing but a line in the log."""
    gateway = make_gateway(upstream("8"), config=ALL, environment={"GEMINI_API_KEY": "gemini-key"})
    assert gateway.ask("Hello", routing=FLASH).status_code == 200
    wait_until(lambda: "cannot be asked: model_not_found" in caplog.text)


def test_agreement_with_people_is_counted(make_gateway: MakeGateway) -> None:
    """Of the answers that both rated: the share on the same side of one half, and the mean difference."""
    gateway = make_gateway(upstream("8"), config=ALL)
    assert gateway.store.judge_agreement() == {"answers": 0, "agreement": None, "difference": None}
    for prompt, score in (("Hello", 1.0), ("Good morning", 0.2)):
        request_id = gateway.ask(prompt, routing=FLASH).headers["x-request-id"]
        row = gateway.store.request(request_id) or {}
        gateway.store.submit(InsertFeedback(Feedback(request_id, score, row["timestamp"]))).result()
    wait_until(lambda: len(labels(gateway)) == 2)
    assert gateway.store.judge_agreement() == {"answers": 2, "agreement": 0.5, "difference": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("content", "rating"),
    [("7", 0.7), ("10", 1.0), ("Rating: 0.", None), ("I give it 9", 0.9), ("12", None), ("4.5", None), (None, None)],
)
def test_a_rating_is_a_whole_number_up_to_ten(content: str | None, rating: float | None) -> None:
    """Anything else is no rating."""
    assert rating_of({"choices": [{"message": {"content": content}}]}) == rating
    assert rating_of({"choices": []}) is None


def test_a_full_queue_drops_and_a_failure_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """The queue is bounded, works in order, and logs a failure by its type only."""
    done: list[int] = []
    over = asyncio.Event()

    async def work(number: int) -> None:
        if number == 0:
            raise ValueError("secret")
        done.append(number)
        over.set()

    async def scenario() -> None:
        queue = JudgeQueue(size=2)
        assert [queue.add(partial(work, number)) for number in range(3)] == [True, True, False]
        running = asyncio.create_task(queue.run())
        await over.wait()
        running.cancel()

    asyncio.run(scenario())
    assert done == [1]
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_the_judge_sees_the_end_of_a_long_conversation(make_gateway: MakeGateway) -> None:
    """What it reads is bounded: the end of the conversation and the beginning of the answer."""
    seen: list[str] = []
    usual = upstream("8")

    def watching(request: httpx2.Request) -> httpx2.Response:
        if "openrouter" in str(request.url):
            seen.append(orjson.loads(request.content)["messages"][1]["content"])
        return usual(request)

    gateway = make_gateway(watching, config=ALL)
    assert isinstance(gateway.app.state.gateway, Gateway)
    gateway.ask("x" * 20_000 + " the end", routing=FLASH)
    rated(gateway, rows=2)
    assert len(seen[0]) < 8_200
    assert "the end\n</conversation>" in seen[0]
    assert "<answer>\nParis.\n</answer>" in seen[0]


def test_an_answer_without_text_is_not_rated(make_gateway: MakeGateway) -> None:
    """There is nothing to read; an answer that waits while the cap is reached is dropped as well."""
    gateway = make_gateway(upstream("8"), config=ALL)
    served: Gateway = gateway.app.state.gateway
    spending = DailySpending(served.services.store.judge_cost, now=served.services.environment.now)
    queue, asked = JudgeQueue(), []

    async def ask(request: ChatRequest) -> JudgedResult:
        asked.append(request)
        raise AssertionError

    judge = Judge(
        JUDGE,
        share=1.0,
        daily_usd=Decimal(1),
        spending=spending,
        queue=queue,
        ask=ask,
        outcomes=OutcomeCollector(
            gateway.store,
            served.runtime.settings.catalog,
            sessions=served.services.session_affinity,
            implicit_feedback=served.services.implicit_feedback,
        ),
    )
    request = parse_chat_request(b'{"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}')
    plan = Planner(
        served.runtime.engine, served.runtime.settings.catalog, providers=("gemini",), cooling=frozenset
    ).plan(request)
    record = RequestRecord("r", "2026", "hybrid", "gemini", "flash", "gemini", "flash", auto_route=True)
    transcript = judge.transcript(record)
    assert transcript is not None
    judge.rate_later(plan, request, record, transcript)
    transcript.add({"message": {"content": "Hello."}})
    judge.rate_later(plan, request, record, transcript)
    spending.add(Decimal(2))

    async def scenario() -> None:
        over = asyncio.Event()

        async def end() -> None:
            over.set()

        assert queue.add(end)
        running = asyncio.create_task(queue.run())
        await over.wait()
        running.cancel()

    asyncio.run(scenario())
    assert asked == []
