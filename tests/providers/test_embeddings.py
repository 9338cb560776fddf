"""What every provider does with a request for embeddings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.embeddings import parse_embedding_request
from gateway.embeddings import EmbeddingRequest
from gateway.errors import InvalidRequest, UpstreamError, UpstreamInvalidResponse
from gateway.providers import PROVIDERS
from tests.providers.contract import KEY, made

EMBED = sorted(PROVIDERS.keys() - {"claude"})
PRIVATE = "must-stay-here"


def request(**members: Any) -> EmbeddingRequest:
    return parse_embedding_request(orjson.dumps({"model": "m", "input": ["one", "two"], **members}))


def answer(name: str, *vectors: Any, **members: Any) -> dict[str, Any]:
    """A provider's answer with these vectors."""
    if name == "gemini":
        return {"embeddings": [{"values": vector} for vector in vectors], **members}
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "m", **members}


def test_claude_offers_none() -> None:
    """A request to Claude is refused before anything is sent, and the message names a model that can."""
    claude = made("claude")
    with pytest.raises(InvalidRequest, match=r"claude offers no embeddings.*gemini/gemini-embedding-001") as caught:
        claude.build_embedding_request(request(), "claude-haiku-4-5")
    assert caught.value.param == "model"
    with pytest.raises(InvalidRequest):
        claude.parse_embeddings({}, made("openai").build_embedding_request(request(), "m"))


@pytest.mark.parametrize("name", EMBED)
def test_only_documented_members_are_sent(name: str) -> None:
    """Nothing that is ours or unknown reaches the provider, and the key is in a header."""
    sent = made(name).build_embedding_request(request(api_base=PRIVATE, routing={"session_id": PRIVATE}), "m-1")
    assert PRIVATE not in str(sent.json)
    assert KEY in str(sent.headers)
    assert KEY not in sent.url
    assert not sent.stream


def test_what_is_sent() -> None:
    """Each provider gets the request in its own form."""
    asked = request(dimensions=8, encoding_format="base64", user="u", input_type="search_query")
    gemini, openai, openrouter = (made(name).build_embedding_request(asked, "m") for name in EMBED)
    assert gemini.url == "https://upstream.test/base/v1beta/models/m:batchEmbedContents"
    assert gemini.json == {
        "requests": [
            {
                "model": "models/m",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 8,
                "taskType": "RETRIEVAL_QUERY",
            }
            for text in ("one", "two")
        ]
    }
    common = {"model": "m", "input": ["one", "two"], "dimensions": 8, "encoding_format": "base64", "user": "u"}
    assert openai.url == openrouter.url == "https://upstream.test/base/embeddings"
    assert openai.json == common
    assert openrouter.json == {**common, "input_type": "search_query"}


def test_tokens_go_only_where_they_are_taken() -> None:
    """OpenAI-speaking upstreams get token ids as they are; Gemini refuses them."""
    asked = request(input=[[1, 2], [3]])
    assert made("openai").build_embedding_request(asked, "m").json["input"] == [[1, 2], [3]]
    with pytest.raises(InvalidRequest, match="texts, not token ids") as caught:
        made("gemini").build_embedding_request(asked, "m")
    assert caught.value.param == "input"


@pytest.mark.parametrize("name", EMBED)
def test_vectors_are_in_the_order_of_the_inputs(name: str) -> None:
    """There is one vector for each input, by index where the provider sends one."""
    provider = made(name)
    body = answer(name, [0.5, 0.25], [1, 0])
    if name != "gemini":
        body["data"].reverse()
    found = provider.parse_embeddings(body, provider.build_embedding_request(request(), "m"))
    assert found.vectors == [[0.5, 0.25], [1, 0]]


@pytest.mark.parametrize("name", EMBED)
@pytest.mark.parametrize("vectors", [[], [[1.0]], [[1.0]] * 3, [[1.0], []], [[1.0], None], [[1.0], ["x"]], [[1.0], ""]])
def test_an_answer_without_a_vector_for_each_input_is_invalid(name: str, vectors: list[Any]) -> None:
    """Too few, too many or unreadable vectors are the upstream's error, never the client's data."""
    provider = made(name)
    with pytest.raises(UpstreamInvalidResponse, match="one vector for each of the 2 inputs"):
        provider.parse_embeddings(answer(name, *vectors), provider.build_embedding_request(request(), "m"))


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "index", "embedding", "embeddings", "values", "usage", "error"]), inner
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from(EMBED), st.dictionaries(st.sampled_from(["data", "embeddings", "usage", "error"]), NOISE))
def test_any_answer_is_vectors_or_an_upstream_error(name: str, body: dict[str, Any]) -> None:
    """Whatever JSON an upstream sends, the result is two vectors or an UpstreamError."""
    provider = made(name)
    try:
        found = provider.parse_embeddings(body, provider.build_embedding_request(request(), "m"))
    except UpstreamError:
        return
    assert len(found.vectors) == 2


@pytest.mark.parametrize("name", EMBED)
def test_an_error_with_status_200_is_an_error(name: str) -> None:
    """An error in the body is raised without the key."""
    provider = made(name)
    error = {"error": {"code": 503, "message": f"No instances for {KEY}"}}
    with pytest.raises(UpstreamError) as caught:
        provider.parse_embeddings(error, provider.build_embedding_request(request(), "m"))
    assert KEY not in caught.value.message


def test_usage_is_that_of_the_provider() -> None:
    """Tokens come from the provider's counts, None without any; OpenRouter's cost is kept."""
    gemini, _, openrouter = (made(name) for name in EMBED)
    sent = gemini.build_embedding_request(request(), "m")
    counted = gemini.parse_embeddings(answer("gemini", [1.0], [1.0], usageMetadata={"promptTokenCount": 7}), sent).usage
    assert counted is not None
    assert (counted.prompt_tokens, counted.completion_tokens) == (7, 0)
    assert gemini.parse_embeddings(answer("gemini", [1.0], [1.0]), sent).usage is None
    body = answer("openrouter", [1.0], [1.0], id="gen-1", usage={"prompt_tokens": 3, "total_tokens": 3, "cost": 0.25})
    found = openrouter.parse_embeddings(body, openrouter.build_embedding_request(request(), "m"))
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.reported_cost) == (3, Decimal("0.25"))
    assert found.upstream_id == "gen-1"
