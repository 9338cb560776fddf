"""Wire cases: what a client asks, what Gemini is sent, what it answers, what the client gets. Adding one is adding a file.

A file in `cases/` has a `rule`, a `model` and a `request`; then `sent`, or `refused` with the path that is to blame; then, if it
is to be read, an `answer` with its `choices`, or `events` with the `chunks` they give (one list of choices a chunk), and `usage`; `dropped` names
what could not be passed on.
Ids that the gateway makes are written `call_#1`, `call_#2` in order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from tests.providers.gemini.asking import MADE_ID, check_answer, check_request, gemini, request, streamed, wire

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def numbered(value: Any) -> Any:
    """With made ids replaced by their number."""
    text = json.dumps(value)
    for number, made in enumerate(dict.fromkeys(MADE_ID.findall(text)), 1):
        text = text.replace(made, f"call_#{number}")
    return json.loads(text)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_gemini_case_file_holds(path: Path) -> None:
    """What goes in and what comes out is as the file says."""
    case = json.loads(path.read_text())
    provider, asked = gemini(), request(**case["request"])
    if "refused" in case:
        with pytest.raises(InvalidRequest) as caught:
            provider.build_request(asked, case["model"])
        assert caught.value.param == case["refused"]
        return
    sent = provider.build_request(asked, case["model"])
    check_request(sent.json)
    assert sent.json == case["sent"]
    usage: list[Any] = []
    if "answer" in case:
        check_answer(case["answer"])
        completion = provider.parse_response(case["answer"], sent)
        assert numbered(completion.choices) == case["choices"]
        assert [*completion.dropped] == case.get("dropped", [])
        usage = [completion.usage]
    if "events" in case:
        for event in case["events"]:
            check_answer(event)
        chunks = streamed([wire(case["events"])], by=provider, to=sent)
        assert numbered([chunk.choices for chunk in chunks]) == case["chunks"]
        usage = [chunk.usage for chunk in chunks if chunk.usage]
    if "usage" in case:
        assert usage[-1].openai() == case["usage"]
