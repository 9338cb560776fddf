"""Wire cases: what a client asks, what Claude is sent; what Claude answers, what the client is told. One file a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.providers.claude.asking import claude, deltas, finishes, read, refusal, sent, wire

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_claude_case_file_holds(path: Path) -> None:
    """A file asks and says what is `sent` or `refused`; or what is `answered`, or comes as `events`, and what that becomes."""
    case = orjson.loads(path.read_bytes())
    checks = {"sent": _sent, "refused": _refused, "answered": _answered, "events": _streamed}
    (kind,) = checks.keys() & case.keys()
    checks[kind](case)


def _sent(case: dict[str, Any]) -> None:
    body = dict(sent(to=case["model"], **case["asked"]).json)
    assert body.pop("model") == case["model"]
    if "max_tokens" not in case["sent"]:
        del body["max_tokens"]
    assert body == case["sent"]


def _refused(case: dict[str, Any]) -> None:
    assert refusal(to=case["model"], **case["asked"]).param == case["refused"]


def _answered(case: dict[str, Any]) -> None:
    """The answer goes through the SDK's own type first, so that it is one Anthropic could give."""
    body = Message.model_validate(case["answered"]).model_dump(mode="json")
    completion = claude().parse_response(body, sent(to=case["model"], **case["asked"]))
    (choice,) = completion.choices
    assert choice == {
        "index": 0,
        "message": case["completion"]["message"],
        "finish_reason": case["completion"]["finish_reason"],
        "logprobs": None,
    }
    assert completion.usage is not None
    assert completion.usage.openai() == case["completion"].get("usage", completion.usage.openai())


def _streamed(case: dict[str, Any]) -> None:
    """The same for events."""
    events = [_EVENT.validate_python(event).model_dump(mode="json") for event in case["events"]]
    chunks = read(claude().stream_parser(sent(to=case["model"], **case["asked"])), [wire(events)])
    assert deltas(chunks) == case["deltas"]
    assert finishes(chunks) == [case["finish_reason"]]
    assert chunks[-1].choices[0]["finish_reason"] == case["finish_reason"]
    last = [chunk.usage for chunk in chunks if chunk.usage is not None][-1]
    assert last.openai() == case.get("usage", last.openai())
