"""The rows of providers.yaml that deployments become."""

from __future__ import annotations

import pytest

from gateway.cli.litellm.upstreams import UpstreamRows, variable_of


@pytest.mark.parametrize(
    ("prefix", "base", "name", "url"),
    [
        ("anthropic", None, "claude", "https://api.anthropic.com"),
        ("anthropic", "https://proxy.example/v1/messages", "claude", "https://proxy.example"),
        ("gemini", "https://proxy.example/v1beta", "gemini", "https://proxy.example"),
        ("openai", None, "openai", "https://api.openai.com/v1"),
        ("openai", "https://vllm.internal.example/v1", "vllm", "https://vllm.internal.example/v1"),
        ("openai", "http://127.0.0.1:8001/v1", "openai", "http://127.0.0.1:8001/v1"),
        ("hosted_vllm", "http://localhost:8001/v1", "vllm", "http://localhost:8001/v1"),
        ("ollama_chat", "http://localhost:11434", "ollama", "http://localhost:11434/v1"),
        ("ollama", None, "ollama", "http://127.0.0.1:11434/v1"),
    ],
)
def test_an_address_becomes_a_row(prefix: str, base: str | None, name: str, url: str) -> None:
    """A row is called like its vendor, or like its host where that has a name; its base URL is what the gateway appends to."""
    row = UpstreamRows().row(prefix, base, key_variable="K")
    assert (row.name, row.base_url) == (name, url)


def test_one_address_is_one_row() -> None:
    """Deployments of one address share a row, which knows the variables of all their keys."""
    rows = UpstreamRows()
    first = rows.row("groq", None, key_variable="A")
    assert rows.row("groq", None, key_variable="B") is first
    assert rows.row("groq", None, key_variable="A") is first
    assert first.key_variables == ["A", "B"]
    assert first.as_row() == {
        "name": "groq",
        "kind": "openai",
        "base_url": "https://api.groq.com/openai/v1",
        "api_key_env": "A",
    }


def test_a_key_is_not_sent_where_none_was() -> None:
    """A deployment without a key gets a row of its own where the row of its address has one."""
    rows = UpstreamRows()
    keyed = rows.row("openai", "http://127.0.0.1:1/v1", key_variable="A")
    free = rows.row("openai", "http://127.0.0.1:1/v1", key_variable=None)
    assert (keyed.name, free.name) == ("openai", "openai-2")
    assert "api_key_env" not in free.as_row()


def test_a_base_url_in_a_variable_stays_one() -> None:
    """`os.environ/NAME` becomes `base_url_env`; until it is set, the row's address resolves nowhere."""
    rows = UpstreamRows()
    row = rows.row("hosted_vllm", "os.environ/VLLM_BASE", key_variable=None)
    assert row.as_row() == {
        "name": "vllm",
        "kind": "openai",
        "base_url": "https://set-vllm-base.invalid/v1",
        "base_url_env": "VLLM_BASE",
    }
    assert rows.row("hosted_vllm", "os.environ/VLLM_BASE", key_variable=None) is row
    own = rows.row("anthropic", "os.environ/ANTHROPIC_API_BASE", key_variable="K")
    assert (own.name, own.base_url, own.base_url_env) == (
        "claude",
        "https://api.anthropic.com",
        "ANTHROPIC_API_BASE",
    )
    assert rows.row("anthropic", "https://proxy.example", key_variable="K").name == "proxy"


def test_a_wished_name_is_taken_if_it_is_free() -> None:
    """A wildcard's prefix names the row, unless another has the name or it means something else."""
    rows = UpstreamRows()
    assert rows.row("openai", "https://a.example/v1", key_variable="K", wish="house").name == "house"
    assert rows.row("openai", "https://b.example/v1", key_variable="K", wish="house").name == "house-2"
    assert rows.row("openai", "https://c.example/v1", key_variable="K", wish="auto").name == "auto-2"


def test_unused_vendors_are_there_with_their_usual_variables() -> None:
    """Gemini, Claude and OpenRouter are always rows, so that a key is enough to use them."""
    rows = UpstreamRows()
    rows.row("gemini", None, key_variable="GOOGLE_KEY")
    found = {row.name: (row.key_variables, row.used) for row in rows.finished()}
    assert found == {
        "gemini": (["GOOGLE_KEY"], True),
        "claude": (["ANTHROPIC_API_KEY"], False),
        "openrouter": (["OPENROUTER_API_KEY"], False),
    }
    assert [row.name for row in rows] == ["gemini", "claude", "openrouter"]


@pytest.mark.parametrize(
    ("value", "name"),
    [("os.environ/A_1", "A_1"), ("os.environ/", None), ("os.environ/a b", None), ("A", None), (7, None)],
)
def test_a_reference_to_a_variable(value: object, name: str | None) -> None:
    """`os.environ/NAME` names a variable, everything else is a value."""
    assert variable_of(value) == name
