"""The gateway against its own description: requests made from /openapi.json, right ones and wrong ones, and what they are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from gateway.api.openapi.operations import OPERATIONS
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.end_to_end.conftest import Served

EXAMPLES = 15
MODELS = ("auto", "gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash")
EMBEDDING_MODELS = ("openrouter/openai/text-embedding-3-small", "gemini/gemini-embedding-001")
KEPT = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
# What a chat's members allow one by one they need not allow together: a `tool_choice` without its tool is refused.
CHATS = {name for name, operation in OPERATIONS.items() if operation.body and operation.id != "feedback"}
# Any text is a path; what has neither query nor body cannot be asked wrongly.
WRONG = {
    name
    for name, operation in OPERATIONS.items()
    if operation.body or any(parameter["in"] == "query" for parameter in operation.parameters)
}
ASKED = [
    (name, mode)
    for mode in GenerationMode
    for name, operation in OPERATIONS.items()
    if (mode is GenerationMode.POSITIVE or name in WRONG) and not operation.id.endswith("_without_v1")
]


@pytest.fixture(scope="module")
def schema(served: Served) -> Any:
    """What the gateway says of itself, as schemathesis reads it: without keys of its own making."""
    document = httpx2.get(f"{served.url}/openapi.json").json()
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    return schemathesis.openapi.from_dict(document, config=config)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=served.url) as client:
        yield client


def sent(case: Case[Any], client: httpx2.Client) -> httpx2.Response:
    """The answer to a case, whose parts go out as they were made."""
    parts = case.as_transport_kwargs(base_url=str(client.base_url))
    named = {name: parts[name] for name in ("method", "url", "params", "json") if name in parts}
    headers = {name: str(value).encode("latin-1", "replace") for name, value in (parts.get("headers") or {}).items()}
    return client.request(**named, headers=headers, content=parts.get("data"))


@pytest.mark.parametrize(("name", "mode"), ASKED, ids=lambda part: getattr(part, "value", part))
def test_answers_are_as_described(schema: Any, client: httpx2.Client, name: str, mode: GenerationMode) -> None:
    """Whatever is asked of a route, right or wrong, the answer is one that the description has, and never a 500."""
    method, path = name.split(" ")
    kept = KEPT if name in CHATS else [*KEPT, checks.positive_data_acceptance]
    seen = Counter[int]()
    models = EMBEDDING_MODELS if path == "/v1/embeddings" else MODELS

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode), model=st.sampled_from(models))
    def ask(case: Case[Any], model: str) -> None:
        if isinstance(case.body, dict) and isinstance(named := case.body.get("model"), str) and named:
            case.body["model"] = model  # a name that nobody made up reaches an upstream; an empty one stays wrong
        response = sent(case, client)
        seen[response.status_code] += 1
        assert response.status_code != 500, response.text
        assert response.status_code < 500 or response.json()["error"].get("code") == "no_candidate", response.text
        case.validate_response(response, checks=kept)

    ask()
    answered = seen[404 if "{" in path or name.endswith("feedback") else 200]  # nobody guesses an id
    assert answered or mode is GenerationMode.NEGATIVE, seen


def test_every_operation_is_in_the_document(schema: Any) -> None:
    """The document that is served has each operation of the table, and schemathesis finds it valid."""
    schema.validate()
    assert {result.ok().label for result in schema.get_all_operations()} == OPERATIONS.keys()


@pytest.mark.parametrize("key", ["", "not-one-of-them"], ids=["none", "wrong"])
def test_what_asks_for_a_key_gets_one(make_gateway: MakeGateway, key: str) -> None:
    """Without a key, or with a wrong one, each operation that the description locks answers as it says of a 401, the others as ever."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "client-key", "GATEWAY_ADMIN_KEY": "admin-key"})
    document = gateway.client.get("/openapi.json", headers={"x-api-key": "client-key"}).json()
    schema = schemathesis.openapi.from_dict(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            case = schema[path][method].Case(
                path_parameters={"model": "auto", "request_id": "x", "response_id": "x", "name": "x"}
            )
            response = refused(gateway, case, key)
            assert (response.status_code == 401) == bool(operation["security"]), path
            case.validate_response(response, checks=[*KEPT[:-1]])


def refused(gateway: GatewayUnderTest, case: Case[Any], key: str) -> httpx2.Response:
    return gateway.client.request(case.method, case.formatted_path, headers={"x-api-key": key} if key else {})
