"""What a request for embeddings may be, and its response."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from gateway.dialects.embeddings import MAX_INPUTS, embeddings_body, parse_embedding_request
from gateway.embeddings import EmbeddingRequest
from gateway.errors import InvalidRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def parsed(**members: Any) -> EmbeddingRequest:
    return parse_embedding_request(orjson.dumps({"model": "gemini/m", "input": "Hello", **members}))


@pytest.mark.parametrize(
    ("sent", "inputs"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_inputs_are_texts_or_tokens(sent: Any, inputs: list[Any]) -> None:
    """One text, several, the token ids of one, and of several become a list of inputs."""
    assert parsed(input=sent).inputs == inputs


def test_members_are_read() -> None:
    """The members are found, null counts as absent, and the hints are not part of the body."""
    request = parsed(dimensions=8, encoding_format="base64", user=None, routing={"session_id": "s"}, unknown=[1])
    assert (request.model, request.dimensions, request.encoding_format) == ("gemini/m", 8, "base64")
    assert request.hints.session_id == "s"
    assert request.body.keys() == {"model", "input", "dimensions", "encoding_format", "unknown"}
    assert parsed().encoding_format == "float"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 5]}, "input[1]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": [1, "a"]}, "input[1]"),
        ({"input": [-1]}, "input[0]"),
        ({"input": [1, True]}, "input[1]"),
        ({"input": ["a", [1]]}, "input[1]"),
        ({"input": [[1], "a"]}, "input[1]"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "3"}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"user": 5}, "user"),
        ({"input_type": ""}, "input_type"),
        ({"routing": {"nope": 1}}, "routing.nope"),
    ],
)
def test_a_wrong_member_is_named(members: dict[str, Any], param: str) -> None:
    """The error names the member."""
    with pytest.raises(InvalidRequest) as caught:
        parsed(**members)
    assert caught.value.param == param


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(["model", "input", "dimensions", "encoding_format", "user", "routing"]), JSON))
def test_any_json_is_a_request_or_invalid(body: dict[str, Any]) -> None:
    """Whatever JSON comes, the result is a request or InvalidRequest."""
    try:
        request = parse_embedding_request(orjson.dumps(body))
    except InvalidRequest:
        return
    assert request.model
    assert request.inputs


def test_the_response_is_openais() -> None:
    """The official type accepts the response; usage has the cost."""
    usage = {"prompt_tokens": 3, "total_tokens": 3, "completion_tokens": 0, "cost": 0.5, "cost_details": {}}
    body = embeddings_body([[0.5], [0.25]], model="gemini/m", usage=usage)
    response = CreateEmbeddingResponse.model_validate(body, strict=True)
    assert [item.embedding for item in response.data] == [[0.5], [0.25]]
    assert [item.index for item in response.data] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3, "cost": 0.5, "cost_details": {}}
