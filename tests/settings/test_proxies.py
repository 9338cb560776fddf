"""What the settings make of the proxy variables."""

from __future__ import annotations

from gateway.settings import start_up_lines
from tests.settings.conftest import Load, Problems

KEY = "sk-0123456789abcdef"


def test_start_names_the_proxy(load_files: Load) -> None:
    """The start says which upstreams are reached through which proxy, and by which variable; never its user or password."""
    settings = load_files(
        GEMINI_API_KEY=KEY,
        ANTHROPIC_API_KEY=KEY,
        HTTPS_PROXY="http://user:word@proxy.example:3128",
        NO_PROXY="api.anthropic.com",
    )
    lines = [line for line in start_up_lines(settings) if "the proxy" in line]
    assert lines == ["upstream: gemini is reached through the proxy http://proxy.example:3128 (HTTPS_PROXY)"]
    assert "word" not in f"{settings!r}"


def test_unusable_proxy_refuses_the_start(problems_of: Problems) -> None:
    """A proxy of another kind refuses the start where an upstream would need it, and says what to set."""
    assert problems_of(GEMINI_API_KEY=KEY, ALL_PROXY="socks5h://127.0.0.1:1080") == [
        (
            "ALL_PROXY: gemini would be reached through a socks5h proxy, which is not supported; give the URL of an HTTP proxy "
            "(http://host:port), or add the upstream's host to NO_PROXY"
        )
    ]


def test_unusable_proxy_that_is_not_needed_is_no_problem(load_files: Load) -> None:
    """It is no problem where every upstream is reached in another way."""
    settings = load_files(
        GEMINI_API_KEY=KEY,
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL="http://127.0.0.1:9",
        ALL_PROXY="socks5://127.0.0.1:1080",
        https_proxy="http://proxy.example",
    )
    assert settings.proxies.of("http://127.0.0.1:9") is None
