"""Two models are asked at once and their answers compared, through the whole gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import orjson
import pytest

from gateway.accounts.budgets import Budget
from gateway.store import decisions
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.tenants import issue
from tests.upstreams import ANSWERS, Upstream, vendor

AGREE = "cascade: agree\n"
JSON = {"response_format": {"type": "json_object"}}
PROMPT = "Is this message spam? Answer with a JSON object."
FIRST, PARTNER, BETTER = "claude-haiku-5-5", "deepseek/deepseek-v4-flash-0731", "gemini-4-argon"
SPAM, HAM = '{"label": "spam"}', '{"label": "ham"}'
Said = Mapping[str, str | int]


def saying(said: Said, sent: list[str] | None = None) -> Upstream:
    """Each vendor answers its text, or with its status; without one, that it is spam."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        name = vendor(request)
        if sent is not None:
            sent.append(name)
        text = said.get(name, SPAM)
        if isinstance(text, int):
            return httpx2.Response(text, text="{}")
        return ANSWERS[name](request, text, 100, 20)

    return upstream


def ask(gateway: GatewayUnderTest, **body: Any) -> tuple[httpx2.Response, dict[str, Any]]:
    """One request and its row."""
    response = gateway.ask(PROMPT, **{**JSON, **body})
    return response, gateway.rows[-1]


def events(response: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    return [orjson.loads(line) for line in lines]


def content(response: httpx2.Response) -> str:
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


def models(row: Mapping[str, Any]) -> list[str]:
    return [attempt["model"] for attempt in row["attempts"]]


def labels(gateway: GatewayUnderTest) -> list[tuple[str, str]]:
    return [(each.source, each.model) for each in gateway.store.outcomes() if each.quality is not None]


def test_answer_on_which_two_agree_is_given(make_gateway: MakeGateway) -> None:
    """Both calls are paid for and in the row, which says in a sentence what was done; nothing fell back."""
    gateway = make_gateway(saying({"openrouter": '{"label":  "spam" }'}), config=AGREE)
    response, row = ask(gateway)
    assert (response.status_code, content(response)) == (200, SPAM)
    assert models(row) == [FIRST, PARTNER]
    assert [attempt["status"] for attempt in row["attempts"]] == ["settled", "settled"]
    assert row["actual_cost"] == pytest.approx(sum(attempt["cost"] for attempt in row["attempts"]))
    assert (row["selected_model"], row["fallback_used"], row["fallback_reason"]) == (FIRST, False, None)
    assert row["agreement"] == {
        "models": [f"claude/{FIRST}", f"openrouter/{PARTNER}"],
        "escalation": f"gemini/{BETTER}",
        "agreed": True,
    }
    assert row["reasoning"].startswith(f"claude/{FIRST} and openrouter/{PARTNER} agreed. ")
    assert response.headers["x-gateway-reason"] == row["reasoning"][:300].strip()
    assert response.headers["x-gateway-attempts"] == "2"
    assert row["first_byte"] >= max(attempt["duration"] for attempt in row["attempts"])


def test_better_model_answers_where_two_differ(make_gateway: MakeGateway) -> None:
    """All three calls are in the row and paid for; the answer is the better model's."""
    gateway = make_gateway(saying({"openrouter": HAM, "gemini": '{"label": "offer"}'}), config=AGREE)
    response, row = ask(gateway)
    assert content(response) == '{"label": "offer"}'
    assert models(row) == [FIRST, PARTNER, BETTER]
    assert row["actual_cost"] == pytest.approx(sum(attempt["cost"] for attempt in row["attempts"]))
    assert (row["selected_model"], row["fallback_used"], row["agreement"]["agreed"]) == (BETTER, False, False)
    assert row["reasoning"].startswith(
        f"claude/{FIRST} and openrouter/{PARTNER} differed: escalated to gemini/{BETTER}. "
    )
    assert response.json()["model"] == f"gemini/{BETTER}"


def test_agreement_is_a_label_for_both(make_gateway: MakeGateway) -> None:
    """Each model that was asked has an outcome with its own cost; the first one's tells that they agreed."""
    gateway = make_gateway(saying({}), config=AGREE)
    ask(gateway)
    assert labels(gateway) == [("agreed", FIRST), ("agreed", PARTNER), ("passed_validation", FIRST)]
    costs = {each.model: each.cost for each in gateway.store.outcomes() if each.cost is not None}
    assert costs == {a["model"]: pytest.approx(a["cost"]) for a in gateway.rows[-1]["attempts"]}


def test_difference_is_a_label_for_both_but_not_for_the_better_model(make_gateway: MakeGateway) -> None:
    """The escalation's answer was compared with nothing."""
    gateway = make_gateway(saying({"openrouter": HAM}), config=AGREE)
    ask(gateway)
    assert labels(gateway) == [("differed", FIRST), ("differed", PARTNER), ("passed_validation", BETTER)]


@pytest.mark.parametrize(("down", "kept"), [("openrouter", FIRST), ("claude", PARTNER)])
def test_one_that_is_down_leaves_a_single_call(make_gateway: MakeGateway, down: str, kept: str) -> None:
    """The other one's answer is given as it would be alone: nothing was compared, so nothing is learned from it."""
    gateway = make_gateway(saying({down: 503}), config=AGREE)
    response, row = ask(gateway)
    assert (response.status_code, content(response)) == (200, SPAM)
    assert (row["selected_model"], models(row)) == (kept, [FIRST, PARTNER])
    assert row["agreement"]["agreed"] is None
    assert row["fallback_used"] is (down == "claude")
    assert "answered, so nothing was compared." in row["reasoning"]
    assert {source for source, _ in labels(gateway)} == {"upstream_error", "passed_validation"}


def test_both_down_fails_over(make_gateway: MakeGateway) -> None:
    """What is left is tried as after any failure, within the same number of attempts."""
    gateway = make_gateway(saying({"openrouter": 503, "claude": 503}), config=AGREE)
    response, row = ask(gateway)
    assert (response.status_code, row["selected_provider"]) == (200, "gemini")
    assert (len(row["attempts"]), row["fallback_used"]) == (3, True)
    assert row["reasoning"].startswith(f"Neither claude/{FIRST} nor openrouter/{PARTNER} answered. ")


def test_all_down_is_an_error_with_a_row(make_gateway: MakeGateway) -> None:
    """Nothing is lost: the row has all three attempts."""
    gateway = make_gateway(saying(dict.fromkeys(("gemini", "claude", "openrouter"), 503)), config=AGREE)
    response, row = ask(gateway)
    assert (response.status_code, response.json()["error"]["type"]) == (503, "upstream_error")
    assert (row["status"], len(row["attempts"]), row["actual_cost"]) == ("error", 3, 0)


def test_first_answer_stands_where_the_better_model_is_down(make_gateway: MakeGateway) -> None:
    """Two answers are there, so one of them is better than none."""
    gateway = make_gateway(saying({"openrouter": HAM, "gemini": 503}), config=AGREE)
    response, row = ask(gateway)
    assert (content(response), row["selected_model"], row["status"]) == (SPAM, FIRST, "ok")
    assert [attempt["error"] for attempt in row["attempts"]] == [None, None, "upstream_overloaded"]
    assert row["usage"] == row["attempts"][0]["usage"]


def test_answer_that_fits_stands_before_one_that_does_not(make_gateway: MakeGateway) -> None:
    """Only the second answer is JSON, and the better model is down."""
    gateway = make_gateway(saying({"claude": "Spam, I would say.", "gemini": 503}), config=AGREE)
    response, row = ask(gateway)
    assert (content(response), row["selected_model"]) == (SPAM, PARTNER)


@pytest.mark.parametrize(
    "odd",
    ["Spam.", '{"label": NaN}', '{"label": "' + "x" * 10_000_000 + '"}', "[" * 5_000],
    ids=["text", "nan", "10 MB", "deep"],
)
def test_odd_answer_is_no_agreement(make_gateway: MakeGateway, odd: str) -> None:
    """An answer of another type, of 10 MB or with NaN agrees with nothing: the better model is asked."""
    gateway = make_gateway(saying({"openrouter": odd, "claude": odd}), config=AGREE)
    response, row = ask(gateway)
    assert (content(response), row["selected_model"], row["agreement"]["agreed"]) == (SPAM, BETTER, False)


@pytest.mark.parametrize(
    ("config", "body"),
    [
        ("", {}),
        (AGREE, {"routing": {"cascade": "validate"}}),
        (AGREE, {"stream": True}),
        (AGREE, {"response_format": {"type": "text"}}),
        (AGREE, {"model": f"claude/{FIRST}"}),
        (AGREE, {"model": "auto:cheap"}),
        (AGREE, {"routing": {"providers": ["claude"]}}),
        (AGREE, {"routing": {"max_cost": 0.0003}}),
    ],
    ids=["default", "hint", "streamed", "prose", "named", "cheap", "one family", "too dear"],
)
def test_one_model_is_asked(make_gateway: MakeGateway, config: str, body: dict[str, Any]) -> None:
    """Not configured, not comparable, or not worth it: a single call."""
    gateway = make_gateway(saying({}), config=config)
    response, row = ask(gateway, **body)
    assert response.status_code == 200, response.text
    assert (len(row["attempts"]), row["agreement"]) == (1, None)


def test_hint_asks_for_agreement(make_gateway: MakeGateway) -> None:
    """A request may ask for what is not configured; its answers may be short texts then."""
    gateway = make_gateway(saying({"claude": "Spam.", "openrouter": "spam"}))
    response, row = ask(gateway, response_format={"type": "text"}, routing={"cascade": "agree"})
    assert (content(response), row["agreement"]["agreed"]) == ("Spam.", True)


def test_unknown_cascade_is_refused(make_gateway: MakeGateway) -> None:
    """A misspelt hint is a 400 that says which there are."""
    response = make_gateway().ask(PROMPT, routing={"cascade": "vote"})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "routing.cascade"
    assert "'agree'" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("of_key", "hint", "asked"), [("agree", {}, 2), ("agree", {"cascade": "off"}, 1), (None, {}, 1)]
)
def test_key_has_a_cascade_of_its_own(make_gateway: MakeGateway, of_key: Any, hint: dict[str, Any], asked: int) -> None:
    """A key's cascade replaces the configured one; a request's hint replaces both."""
    gateway = make_gateway(saying({}))
    headers = {"authorization": f"Bearer {issue(gateway, 'a', cascade=of_key)}"}
    body = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}], "routing": hint, **JSON}
    assert gateway.client.post("/v1/chat/completions", json=body, headers=headers).status_code == 200
    assert len(gateway.rows[-1]["attempts"]) == asked


def test_stream_that_was_compared_has_all_events(make_gateway: MakeGateway) -> None:
    """A client that wishes it gets a stream of the whole answer, with usage and end."""
    gateway = make_gateway(saying({}))
    options = {"stream": True, "stream_options": {"include_usage": True}, "routing": {"cascade": "agree"}}
    response, row = ask(gateway, **options)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")
    chunks = events(response)
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == SPAM
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["cost"] == pytest.approx(row["actual_cost"])
    assert (row["streamed"], row["agreement"]["agreed"], len(row["attempts"])) == (True, True, 2)


def test_hold_covers_the_whole_plan(make_gateway: MakeGateway) -> None:
    """A budget that has no room for three calls, but for one, gets one; with room for three it gets the plan."""
    gateway = make_gateway(saying({"openrouter": HAM}))
    for number, (limit_nano, asked) in enumerate([(20_000_000, 3), (3_000_000, 1)]):
        key = issue(gateway, f"key {number}", cascade="agree", budget=Budget(limit_nano))
        body = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 500, **JSON}
        response = gateway.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
        assert response.status_code == 200, response.text
        assert len(gateway.rows[-1]["attempts"]) == asked
        assert (gateway.rows[-1]["agreement"] is None) == (asked == 1)


def test_preview_shows_the_plan(make_gateway: MakeGateway) -> None:
    """`/v1/route` says who would be asked, and calls nobody."""
    sent: list[str] = []
    gateway = make_gateway(saying({}, sent), config=AGREE)
    plan = gateway.ask(PROMPT, path="/v1/route", **JSON).json()
    assert plan["cascade"]["kind"] == "agree"
    assert plan["cascade"]["with"] == [{"provider": "openrouter", "model": PARTNER}]
    assert plan["cascade"]["escalate"] == {"provider": "gemini", "model": BETTER}
    assert sent == []


def test_feedback_on_an_agreed_answer_is_learned(make_gateway: MakeGateway) -> None:
    """The rating carries what was compared, and no cost: the row's is that of both calls."""
    gateway = make_gateway(saying({}), config=AGREE)
    response, _ = ask(gateway)
    said = gateway.client.post("/v1/feedback", json={"request_id": response.headers["x-request-id"], "score": 1})
    assert said.status_code == 200
    rating = gateway.store.outcomes()[-1]
    assert (rating.source, rating.model, rating.cost) == ("feedback", FIRST, None)
    assert rating.agreement is not None
    assert rating.agreement.agreed is True


def test_labels_of_one_of_many_keys_wait(make_gateway: MakeGateway) -> None:
    """Where several keys may call, what one key's answers say is not learned; what they cost is."""
    gateway = make_gateway(saying({}), config=AGREE)
    issue(gateway, "b")
    body = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}], **JSON}
    headers = {"authorization": f"Bearer {issue(gateway, 'a')}"}
    assert gateway.client.post("/v1/chat/completions", json=body, headers=headers).status_code == 200
    assert labels(gateway) == []
    assert {each.model for each in gateway.store.outcomes() if each.cost is not None} == {FIRST, PARTNER}


def test_too_few_attempts_for_a_plan(make_gateway: MakeGateway) -> None:
    """With `max_attempts: 2` there would be no call left for the escalation."""
    gateway = make_gateway(saying({}), config=AGREE + "max_attempts: 2\n")
    _, row = ask(gateway)
    assert (len(row["attempts"]), row["agreement"]) == (1, None)


def test_replay_leaves_out_rows_of_plans(make_gateway: MakeGateway) -> None:
    """Their cost is not that of one model."""
    gateway = make_gateway(saying({}))
    ask(gateway, routing={"cascade": "agree"})
    ask(gateway, routing={"cascade": "off"})
    with gateway.store.reading() as connection:
        assert len(decisions.page(connection, decisions.Period(), after=0, limit=10)) == 1
