"""What candidates say, in OpenAI's words."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import SignatureCache
from gateway.providers.gemini.answer import (
    CandidateReader,
    ContentKinds,
    GeneratedCallIds,
    blocked_reason,
    raise_if_failed,
)
from gateway.providers.gemini.request import RequestContext
from gateway.providers.gemini.signatures import ThoughtSignature
from tests.providers.gemini.asking import MADE_ID, sent


def ids(number: int = 1, *, question: str = "Hello", response_id: str = "r") -> GeneratedCallIds:
    made = GeneratedCallIds(sent(messages=[{"role": "user", "content": question}]), number=number)
    made.response_id = response_id
    return made


def reader(context: RequestContext | None = None, *, signature_cache: SignatureCache | None = None) -> CandidateReader:
    return CandidateReader(
        0,
        context=context or RequestContext(),
        ids=ids(),
        signature_cache=signature_cache or SignatureCache(),
        content_kinds=ContentKinds(),
    )


def candidate(*parts: Any, **members: Any) -> Any:
    return {"content": {"role": "model", "parts": [*parts]}, **members}


def call(name: str, args: Any = None, **part: Any) -> Any:
    return {"functionCall": {"name": name, "args": args or {}}, **part}


def finished(reason: Any, *parts: Any) -> str:
    read = reader()
    read.read(candidate(*parts, finishReason=reason))
    return read.finish_reason()


def test_texts_and_thoughts_are_joined_separately() -> None:
    """Thoughts are reasoning, text is content, each joined."""
    delta = reader().read(
        candidate({"text": "hm", "thought": True}, {"text": "m", "thought": True}, {"text": "a"}, {"text": "b"})
    )
    assert delta == {"reasoning_content": "hmm", "content": "ab"}


@pytest.mark.parametrize(
    "read",
    [
        {},
        {"content": None},
        {"content": []},
        {"content": {"parts": None}},
        candidate(),
        candidate(
            None,
            "x",
            {},
            {"text": ""},
            {"text": 1},
            {"executableCode": {"code": "1"}},
            {"inlineData": {"data": "QQ=="}},
        ),
    ],
)
def test_missing_or_malformed_parts_add_nothing(read: Any) -> None:
    """What is missing, malformed or unknown adds nothing and raises nothing."""
    assert reader().read(read) == {}


def test_calls_have_id_name_and_json_arguments() -> None:
    """Each call has an id of its own, its name and its arguments as JSON; they are counted over all pieces."""
    read = reader()
    first = read.read(candidate(call("f", {"é": [1]}), {"functionCall": {"name": "f"}}))["tool_calls"]
    second = read.read(candidate({"functionCall": {}}))["tool_calls"]
    assert [made["index"] for made in [*first, *second]] == [0, 1, 2]
    assert [made["function"]["arguments"] for made in [*first, *second]] == ['{"é":[1]}', "{}", "{}"]
    assert len({made["id"] for made in [*first, *second]}) == 3
    assert all(MADE_ID.fullmatch(made["id"]) for made in [*first, *second])


def test_renamed_tool_answers_by_the_clients_name() -> None:
    """A renamed tool has the client's name again."""
    read = reader(RequestContext(renamed={"_2fa": "2fa"})).read(candidate(call("_2fa"), call("other")))
    assert [made["function"]["name"] for made in read["tool_calls"]] == ["2fa", "other"]


@pytest.mark.parametrize(("args", "text"), [({"input": "a+"}, "a+"), ({"other": 1}, '{"other":1}'), ([1], "[1]")])
def test_custom_call_is_its_text_or_all_that_was_written(args: Any, text: str) -> None:
    """A custom tool's call is its text, or all that the model wrote instead."""
    made = reader(RequestContext(custom=frozenset("x"))).read(candidate(call("x", args)))["tool_calls"][0]
    assert (made["type"], made["custom"]) == ("custom", {"name": "x", "input": text})
    assert "function" not in made


def test_only_the_first_call_counts_where_one_was_asked() -> None:
    """Where one call is all that was asked, only the first is given on."""
    read = reader(RequestContext(one_call=True))
    assert len(read.read(candidate(call("f"), call("g")))["tool_calls"]) == 1
    assert read.read(candidate(call("h"))) == {}
    assert read.calls == 1


def test_signature_stands_with_its_call_or_as_an_entry() -> None:
    """A call's signature stands with it and is kept under its id; any other part's is an entry with an index of its own."""
    signature_cache = SignatureCache()
    read = reader(signature_cache=signature_cache)
    delta = read.read(candidate(call("f", thoughtSignature="s1"), {"text": "a", "thoughtSignature": "s2"}))
    late = read.read(candidate({"text": "", "thoughtSignature": "s3"}))
    made = delta["tool_calls"][0]
    assert made["extra_content"] == {"google": {"thought_signature": "s1"}}
    assert signature_cache.get(made["id"]) == ThoughtSignature("s1")
    entries = [*delta["reasoning_details"], *late["reasoning_details"]]
    assert [(entry["signature"], entry["index"]) for entry in entries] == [("s2", 0), ("s3", 1)]


@pytest.mark.parametrize("signature", [None, 1, ""])
def test_malformed_signature_is_dropped(signature: Any) -> None:
    """What is no signature is not given on."""
    assert reader().read(candidate({"text": "a", "thoughtSignature": signature})) == {"content": "a"}


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["STOP", "FINISH_REASON_UNSPECIFIED", "OTHER", "ESCALATION", "NEVER_HEARD_OF", None, 7], "stop"),
        (["MAX_TOKENS", "CONTINUATION"], "length"),
        (
            ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"],
            "content_filter",
        ),
        (["IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE"], "content_filter"),
    ],
)
def test_finish_reasons_map_to_openais(reasons: list[Any], expected: str) -> None:
    """Gemini's many reasons are OpenAI's few; an unknown one is an ordinary end."""
    assert {finished(reason, {"text": "a"}) for reason in reasons} == {expected}


def test_stop_after_calls_becomes_tool_calls() -> None:
    """Gemini says STOP after calls, too; a cut or filtered answer stays one."""
    assert finished("STOP", call("f")) == "tool_calls"
    assert finished("MAX_TOKENS", call("f")) == "length"
    assert finished("SAFETY", call("f")) == "content_filter"


@pytest.mark.parametrize(
    "reason",
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "OTHER",
    ],
)
def test_broken_answer_is_an_error_only_while_empty(reason: str) -> None:
    """A model that failed before it said anything is an error; one that said something has ended."""
    silent, thinking, talking = reader(), reader(), reader()
    silent.read(candidate(finishReason=reason))
    thinking.read(candidate({"text": "hm", "thought": True}, finishReason=reason))
    talking.read(candidate({"text": "a"}, finishReason=reason))
    for read in (silent, thinking):
        with pytest.raises(UpstreamInvalidResponse) as caught:
            raise_if_failed([read], provider="gemini")
        assert caught.value.upstream_code == reason
    raise_if_failed([talking, silent], provider="gemini")
    assert talking.finish_reason() == "stop"


def test_call_ids_of_gemini_are_kept_unless_repeated() -> None:
    """Gemini's own id is the call's id; one that it repeats, or that is none, is made."""
    made = ids()
    assert made.of("x") == "x"
    assert all(MADE_ID.fullmatch(made.of(own_id)) for own_id in ("x", "", None, 7))


def test_made_ids_are_unique() -> None:
    """Made ids differ within an answer, between requests, between turns, and between responses."""
    given = [made.of(None) for made in (ids(1), ids(2), ids(question="Other"), ids(response_id="s")) for _ in range(3)]
    assert len(set(given)) == len(given)
    again = ids(1)
    assert [again.of(None) for _ in range(3)] == given[:3]


@pytest.mark.parametrize(
    ("feedback", "refusal"),
    [
        (None, None),
        ({}, None),
        ("x", None),
        ({"blockReason": "SAFETY"}, "The prompt was blocked by the provider (SAFETY)."),
        ({"blockReason": "OTHER", "blockReasonMessage": "No."}, "No."),
    ],
)
def test_blocked_prompt_says_why(feedback: Any, refusal: str | None) -> None:
    """A refused prompt says why."""
    assert blocked_reason({"promptFeedback": feedback}) == refusal
