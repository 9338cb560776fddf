"""Settings, as they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import JudgeSettings, Secret, start_up_lines
from tests.settings.conftest import Load

LONG = "gw-0123456789abcdef"
HOLDBACK = (
    "holdback: 1.0% of the conversations with auto go to the baseline, to measure savings, for at most $1 more a day"
)


def test_secrets_show_their_last_four_characters_only() -> None:
    """A key shows its last four characters, a short one nothing."""
    assert (repr(Secret(LONG)), str(Secret(LONG)), f"{Secret('letmein')}") == ("...cdef", "...cdef", "...")
    assert Secret(LONG).value == LONG


def test_settings_do_not_show_keys(load_files: Load) -> None:
    """Neither the settings nor the lines at the start hold a key."""
    settings = load_files(GATEWAY_API_KEY=LONG, GATEWAY_ADMIN_KEY=f"admin-{LONG}", GEMINI_API_KEY=f"sk-{LONG}")
    assert LONG not in f"{settings!r}{settings}{start_up_lines(settings)}"


def test_start_prints_file_prices_upstreams_and_warnings(load_files: Load, tmp_path: Path) -> None:
    """The start tells the file, the prices, the upstreams that are not the usual ones, who may call, and every warning."""
    settings = load_files(
        {"gateway.yaml": "port: 1\n"},
        GEMINI_API_KEY=LONG,
        ANTHROPIC_API_KEY=LONG,
        ANTHROPIC_BASE_URL="http://10.0.0.1",
        GATEWAY_API_KEY=LONG,
    )
    assert start_up_lines(settings) == [
        f"config: {tmp_path}/gateway.yaml",
        f"prices: {settings.prices.version}",
        "providers: gemini, claude",
        "upstream: claude is at http://10.0.0.1",
        "client keys: ...cdef",
        HOLDBACK,
        f"port: from {tmp_path}/gateway.yaml:1",
        "warning: ANTHROPIC_BASE_URL: claude is called without encryption: http://10.0.0.1",
    ]


def test_start_up_lines_of_an_open_gateway(load_files: Load) -> None:
    """Without keys the lines say that there are no providers and that anyone on this machine may call."""
    assert start_up_lines(load_files())[2:] == [
        "providers: none",
        "client keys: none: open to this machine",
        HOLDBACK,
    ]


@pytest.mark.parametrize("config", ["holdback: 0\n", "mode: shadow\n"])
def test_start_up_lines_without_holdback(load_files: Load, config: str) -> None:
    """Where nothing is held back the start does not announce it."""
    assert not any(
        line.startswith("holdback") and "auto" in line for line in start_up_lines(load_files({"gateway.yaml": config}))
    )


def test_start_announces_the_judge(load_files: Load) -> None:
    """The start says which model reads answers, how many, and what that may cost."""
    settings = load_files({"gateway.yaml": "judge: {model: claude/claude-haiku-5-5, share: 0.1}\n"})
    assert settings.judge == JudgeSettings("claude/claude-haiku-5-5", share=0.1, daily_usd=1.0)
    line = "judge: claude/claude-haiku-5-5 reads and rates 10.0% of the answers of auto, for at most $1 a day"
    assert line in start_up_lines(settings)
