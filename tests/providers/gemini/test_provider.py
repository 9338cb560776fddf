"""The provider as a whole: headers, errors, and the way of ids and signatures through two turns."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import UpstreamRequest
from gateway.errors import UpstreamAuth, UpstreamOverloaded
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.gemini import Gemini
from tests.providers.gemini.asking import KEY, body_sent, gemini, request, said, sent, streamed, wire

CALL = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "U0lH"}
FIRST = {"role": "user", "content": "q"}


def second_turn(call: Any, *, by: Gemini, model: str) -> Any:
    """What is sent when the client answers this tool call: the call's part."""
    messages = [
        FIRST,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "r"},
    ]
    return body_sent(model, by=by, messages=messages)["contents"][1]["parts"][0]


def first_call(model: str, *, by: Gemini) -> Any:
    answer = by.parse_response(said(CALL), sent(model, by=by, messages=[FIRST]))
    return answer.choices[0]["message"]["tool_calls"][0]


def test_key_is_in_its_header_and_nowhere_else() -> None:
    """The key is in its header and nowhere else; the endpoint's own headers go along."""
    provider = Gemini(UpstreamEndpoint("https://gemini.test", KEY, headers={"x-extra": "1"}), name="other")
    made = provider.build_request(request(), "gemini-3.5-flash")
    assert made.headers == {"x-extra": "1", "content-type": "application/json", "x-goog-api-key": KEY}
    assert KEY not in made.url
    assert KEY not in repr(provider.endpoint)
    assert (made.provider, made.model, made.stream) == ("other", "gemini-3.5-flash", False)


def test_echoed_message_brings_its_signature_back() -> None:
    """A client that appends the whole message brings the signature back, also to another process."""
    call = first_call("gemini-3.1-pro-preview", by=gemini())
    assert second_turn(call, by=gemini(), model="gemini-3.1-pro-preview")["thoughtSignature"] == "U0lH"


def test_echoed_call_id_brings_its_kept_signature_back() -> None:
    """A client that keeps only id, name and arguments gets the signature that was kept; in a new process the sentinel."""
    provider = gemini()
    plain = first_call("gemini-3.1-pro-preview", by=provider)
    del plain["extra_content"]
    assert second_turn(plain, by=provider, model="gemini-3.1-pro-preview")["thoughtSignature"] == "U0lH"
    assert (
        second_turn(plain, by=gemini(), model="gemini-3.1-pro-preview")["thoughtSignature"]
        == "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
    )


def test_streamed_signatures_are_kept() -> None:
    """Signatures that came in a stream are kept, too."""
    provider = gemini()
    made = streamed([wire([said(CALL)])], by=provider)
    call = {
        name: value
        for name, value in made[0].choices[0]["delta"]["tool_calls"][0].items()
        if name in ("id", "type", "function")
    }
    assert second_turn(call, by=provider, model="gemini-3.5-flash")["thoughtSignature"] == "U0lH"


def test_made_ids_differ_between_equal_requests() -> None:
    """The same answer to the same request, twice, has two ids."""
    provider = gemini()
    assert first_call("gemini-2.5-flash", by=provider)["id"] != first_call("gemini-2.5-flash", by=provider)["id"]


def test_error_with_status_200_is_raised() -> None:
    """An error in an answer that began with 200 is raised; a refusal is read by its status."""
    with pytest.raises(UpstreamOverloaded):
        gemini().parse_response({"error": {"code": 503, "message": "overloaded"}}, sent())
    assert isinstance(gemini().parse_error(401, {}, b""), UpstreamAuth)


def test_answer_to_a_request_built_elsewhere() -> None:
    """An answer can be read without what `build_request` left for it."""
    bare = UpstreamRequest(provider="gemini", model="m", url="", headers={}, json={}, stream=False)
    answer = gemini().parse_response(said({"functionCall": {"name": "f"}}), bare)
    assert answer.choices[0]["finish_reason"] == "tool_calls"
