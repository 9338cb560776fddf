"""What one request may hold: each bound is a 400 that names the member and the limit."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import json_body as body_module
from gateway.completion import MAX_DATA_URL_HEAD
from gateway.dialects.chat_completions import parse_chat_request
from gateway.dialects.chat_completions.legacy import rewrite_as_tools
from gateway.dialects.chat_completions.messages import MAX_CALLED_NAME, MAX_ID, MAX_URL
from gateway.dialects.chat_completions.parameters import MAX_BIASES
from gateway.dialects.chat_completions.tools import MAX_SCHEMA_VALUES, MAX_TOOL_VALUES
from gateway.errors import InvalidRequest
from gateway.json_body import MAX_ANSWER_DEPTH, MAX_VALUES, holds_too_many_values, parse_answer, parse_embedded
from tests.dialects.chat_completions.refusals import refused_member


def said(content: Any = "hi", **members: Any) -> bytes:
    return orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": content}], **members})


def called(**call: Any) -> bytes:
    made = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **call}
    return orjson.dumps({"model": "auto", "messages": [{"role": "assistant", "tool_calls": [made]}]})


def tools(number: int, values: int) -> list[dict[str, Any]]:
    """Tools whose schemas hold so many values each."""
    schema = {"enum": [0] * (values - 1)}
    return [{"type": "function", "function": {"name": f"t{i}", "parameters": schema}} for i in range(number)]


def image(url: str) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": url}}]


def file(**members: str) -> list[dict[str, Any]]:
    return [{"type": "file", "file": members}]


FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": [0] * MAX_SCHEMA_VALUES}}}
CHOICE = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tools(1, 1)[0]] * 513}}
HEAD = "data:image/png" + ";" * MAX_DATA_URL_HEAD


@pytest.mark.parametrize(
    ("raw", "param", "limit"),
    [
        (said(logit_bias={str(i): 1 for i in range(MAX_BIASES + 1)}), "logit_bias", MAX_BIASES),
        (said(tools=tools(1, MAX_SCHEMA_VALUES + 1)), "tools[0].function.parameters", MAX_SCHEMA_VALUES),
        (said(tools=tools(6, MAX_SCHEMA_VALUES - 2)), "tools", MAX_TOOL_VALUES),
        (said(functions=[t["function"] for t in tools(6, MAX_SCHEMA_VALUES - 2)]), "functions", MAX_TOOL_VALUES),
        (said(tools=tools(513, 1)), "tools", 512),
        (said(tools=tools(1, 1), tool_choice=CHOICE), "tool_choice.allowed_tools.tools", 512),
        (said(response_format=FORMAT), "response_format.json_schema.schema", MAX_SCHEMA_VALUES),
        (said(modalities=["text"] * 9), "modalities", 8),
        (said(stop=["x"] * 17), "stop", 16),
        (said(image("https://x/" + "a" * MAX_URL)), "messages[0].content[0].image_url.url", MAX_URL),
        (said(image(HEAD + ",")), "messages[0].content[0].image_url.url", MAX_DATA_URL_HEAD),
        (said(file(file_data=HEAD)), "messages[0].content[0].file.file_data", MAX_DATA_URL_HEAD),
        (said(file(file_data="https://x/" + "a" * MAX_URL)), "messages[0].content[0].file.file_data", MAX_URL),
        (said(file(file_id="a" * (MAX_URL + 1))), "messages[0].content[0].file.file_id", MAX_URL),
        (said(file(file_data="QQ==", filename="a" * (MAX_URL + 1))), "messages[0].content[0].file.filename", MAX_URL),
        (
            said([{"type": "input_audio", "input_audio": {"data": HEAD, "format": "wav"}}]),
            "messages[0].content[0].input_audio.data",
            MAX_DATA_URL_HEAD,
        ),
        (called(id="c" * (MAX_ID + 1)), "messages[0].tool_calls[0].id", MAX_ID),
        (
            called(function={"name": "f" * (MAX_CALLED_NAME + 1), "arguments": "{}"}),
            "messages[0].tool_calls[0].function.name",
            MAX_CALLED_NAME,
        ),
        (
            orjson.dumps(
                {"model": "auto", "messages": [{"role": "tool", "tool_call_id": "c" * (MAX_ID + 1), "content": ""}]}
            ),
            "messages[0].tool_call_id",
            MAX_ID,
        ),
        (
            orjson.dumps(
                {
                    "model": "auto",
                    "messages": [{"role": "function", "name": "f" * (MAX_CALLED_NAME + 1), "content": ""}],
                }
            ),
            "messages[0].name",
            MAX_CALLED_NAME,
        ),
        (said(foo=[0] * (MAX_VALUES + 1)), None, MAX_VALUES),
        (b'{"foo":[' + b"{}," * MAX_VALUES + b"0]}", None, MAX_VALUES),
    ],
)
def test_member_above_its_limit_is_a_400_that_names_both(raw: bytes, param: str | None, limit: int) -> None:
    """More than a member may hold is a 400 that names the member and the limit."""
    with pytest.raises(InvalidRequest) as refused:
        parse_chat_request(raw)
    assert refused.value.param == param
    assert str(limit) in refused.value.message


def test_large_requests_of_agents_are_accepted() -> None:
    """Hundreds of tools, thousands of messages, long ids and megabytes of code within texts are no reason to refuse a request."""
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}] * 5000
    for raw in (
        said(tools=tools(512, 150)),
        said(",[{" * MAX_VALUES),
        called(id="c" * MAX_ID),
        said(image("data:image/png;charset=utf-8;base64,iVBORw0KGgo=")),
        orjson.dumps({"model": "auto", "messages": messages}),
    ):
        assert refused_member(parse_chat_request, raw) is None


@given(st.lists(st.text(st.sampled_from('"\\,[{ab\n')), min_size=1), st.integers(1, 40), st.integers(1, 9))
def test_values_are_counted_outside_of_strings(texts: list[str], more: int, chunk: int) -> None:
    """Wherever the text is cut, only marks between values count."""
    raw = orjson.dumps([*texts, *range(more)])
    most, size, least = body_module.MAX_VALUES, body_module._CHUNK, body_module._MIN_COUNTED
    try:
        body_module._CHUNK, body_module._MIN_COUNTED = chunk, 0
        for body_module.MAX_VALUES, expected in ((len(texts) + more, False), (len(texts) + more - 1, True)):
            assert holds_too_many_values(raw) is expected
    finally:
        body_module.MAX_VALUES, body_module._CHUNK, body_module._MIN_COUNTED = most, size, least


def test_answers_that_could_not_be_written_again() -> None:
    """JSON that is nested deeper than what is written is no JSON to us, however its brackets are spread; brackets in texts do not count."""
    deep = MAX_ANSWER_DEPTH
    orjson.dumps(parse_answer(b"[" * deep + b"]" * deep))
    parse_answer(orjson.dumps(["[" * 10_000, [[]] * 1000, {"a": {"b": 1}}]))
    for raw in (b"[" * (deep + 1) + b"]" * (deep + 1), b'{"a":' * 900 + b"1" + b"}" * 900):
        with pytest.raises(orjson.JSONDecodeError, match="deeper"):
            parse_answer(raw)
        with pytest.raises(orjson.JSONDecodeError, match="deeper"):
            parse_embedded(raw.decode())
    with pytest.raises(orjson.JSONDecodeError, match="values"):
        parse_embedded("[" + "0," * MAX_VALUES + "0]")
    assert parse_embedded('{"a": 1}') == {"a": 1}


def test_unanswered_calls_of_the_old_form() -> None:
    """Answers that fit to no call are found out at once, not by comparing all calls."""
    calls = [{"role": "assistant", "function_call": {"name": f"f{i}", "arguments": "{}"}} for i in range(5000)]
    answers = [{"role": "function", "name": "nobody", "content": ""}] * 5000
    began = time.process_time()
    rewrite_as_tools({"messages": [*calls, *answers]})
    assert time.process_time() - began < 0.5  # comparing all of them took longer
