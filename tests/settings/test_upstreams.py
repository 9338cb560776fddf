"""Which upstreams are enabled, and where they are."""

from __future__ import annotations

import pytest

from gateway.settings import ProviderSettings, Secret
from gateway.settings.upstreams import base_url_problem, default_base_urls
from tests.settings.conftest import Load, Problems

KEYS = {"GEMINI_API_KEY": "g-key", "ANTHROPIC_API_KEY": "a-key", "OPENROUTER_API_KEY": "o-key"}


def rows(*lines: str) -> dict[str, str]:
    return {"providers.yaml": "providers:\n" + "".join(f"  - {{{line}}}\n" for line in lines)}


def test_a_set_key_enables_its_provider(load_files: Load) -> None:
    """Each provider needs its own key; without it, or with an empty one, it is not there."""
    assert load_files(ANTHROPIC_API_KEY="a-key", GEMINI_API_KEY="").providers == (
        ProviderSettings("claude", "claude", "https://api.anthropic.com", (Secret("a-key"),), custom_url=False),
    )
    assert [provider.name for provider in load_files(**KEYS).providers] == ["gemini", "claude", "openrouter"]


def test_base_url_variable_moves_its_provider(load_files: Load) -> None:
    """A base URL variable moves its provider, without the slash at its end; the start can tell that it moved."""
    (gemini,) = load_files(GEMINI_API_KEY="g", GEMINI_BASE_URL="http://127.0.0.1:9001/").providers
    assert (gemini.base_url, gemini.custom_url) == ("http://127.0.0.1:9001", True)


def test_packaged_providers_use_their_vendors_urls() -> None:
    """The providers that ship are where their vendors say."""
    assert default_base_urls() == {
        "gemini": "https://generativelanguage.googleapis.com",
        "claude": "https://api.anthropic.com",
        "openrouter": "https://openrouter.ai/api/v1",
    }


def test_upstream_without_a_key_is_enabled(load_files: Load) -> None:
    """An upstream that needs no key is a row, always enabled, with headers of its own."""
    row = "name: vllm, kind: openai, base_url: 'http://localhost:8001/v1', headers: {x-team: a}"
    (vllm,) = load_files(rows(row)).providers
    assert vllm == ProviderSettings("vllm", "openai", "http://localhost:8001/v1", headers={"x-team": "a"})


def test_plain_http_is_warned_about(load_files: Load) -> None:
    """A key that leaves this machine unencrypted is worth a warning; on loopback it is not."""
    environment = {**KEYS, "GEMINI_BASE_URL": "http://10.0.0.1", "ANTHROPIC_BASE_URL": "http://[::1]:1"}
    (warning,) = load_files(**environment).warnings
    assert warning == "GEMINI_BASE_URL: gemini is called without encryption: http://10.0.0.1"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("name: a, kind: openai, base_url: 'http://b'", "[1].name: there is another provider 'a' above"),
        ("name: auto, kind: openai, base_url: 'http://b'", "[1].name: 'auto' already means something"),
        ("name: anthropic, kind: claude, base_url: 'http://b'", "[1].name: 'anthropic' already means"),
        ("name: b, kind: opnai, base_url: 'http://b'", "[1].kind: no such kind: 'opnai'"),
        (
            "name: b, kind: openai, base_url: 'http://b', headers: {Authorization: x}",
            "[1].headers.Authorization: the gateway sets",
        ),
        ("name: B/C, kind: openai, base_url: 'http://b'", "[1].name: String should match pattern"),
        ("name: b, kind: openai, base_url: 'http://b', headers: {x: \"a\\nb\"}", "[1].headers.x: String should match"),
    ],
)
def test_each_bad_upstream_row_is_reported_with_its_line(problems_of: Problems, row: str, problem: str) -> None:
    """Each mistake in a row is told with its line."""
    found = problems_of(rows("name: a, kind: openai, base_url: 'http://a'", row))
    assert found[0].startswith(f"providers.yaml:3: providers{problem}")


def test_bad_base_url_in_the_environment(problems_of: Problems) -> None:
    """A base URL that cannot be one is refused by the name of its variable, whether or not there is a key."""
    (problem,) = problems_of(GEMINI_BASE_URL="localhost:9001")
    assert problem.startswith("GEMINI_BASE_URL: base URL of gemini: 'localhost:9001' is not of the form")


@pytest.mark.parametrize("url", ["http://h", "https://h:1/v1", "http://[::1]:9", "https://h/a/b"])
def test_base_url_has_scheme_host_port_and_path_only(url: str) -> None:
    """A base URL is http or https, a host, maybe a port and a path."""
    assert base_url_problem(url) is None


@pytest.mark.parametrize(
    "url",
    ["", "h", "ftp://h", "https://", "https://h:99999", "https://h:0", "https://u:p@h", "https://h?a=1", "https://h#f",
     "https://h/a b", "https://hä", "https://h\n", "http://[::1"],
)  # fmt: skip
def test_base_url_with_credentials_or_query_is_refused(url: str) -> None:
    """Nothing else is: no credentials, query, fragment or stray characters."""
    assert base_url_problem(url) is not None
