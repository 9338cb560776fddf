"""What environment variables say."""

from __future__ import annotations

import pytest

from gateway.settings import Secret
from gateway.settings import environment as env
from gateway.settings.yaml_file import ConfigProblems

LONG, OTHER = "a" * 16, "b" * 16


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", []),
        ("  ", []),
        (LONG, [LONG]),
        (f" {LONG} ,{OTHER},,{LONG},", [LONG, OTHER]),
        (f"ключ-{LONG}", [f"ключ-{LONG}"]),
    ],
)
def test_client_keys_are_a_comma_separated_list(text: str, keys: list[str]) -> None:
    """GATEWAY_API_KEY is a list between commas, of any non-empty strings, each once."""
    config_problems = ConfigProblems()
    assert env.client_keys({"GATEWAY_API_KEY": text}, config_problems) == tuple(map(Secret, keys))
    assert config_problems == ConfigProblems()


def test_list_of_commas_is_refused() -> None:
    """A variable of commas alone is a mistake, not an open gateway."""
    config_problems = ConfigProblems()
    assert env.client_keys({"GATEWAY_API_KEY": " , "}, config_problems) == ()
    assert config_problems.problems == ["GATEWAY_API_KEY: it is set but there is no key between its commas"]


def test_short_client_keys_are_warned_about() -> None:
    """Keys that can be guessed are warned about, without being shown."""
    config_problems = ConfigProblems()
    env.client_keys({"GATEWAY_API_KEY": f"letmein,{LONG}"}, config_problems)
    assert env.admin_key({"GATEWAY_ADMIN_KEY": "letmein"}, config_problems) == Secret("letmein")
    assert env.admin_key({"GATEWAY_ADMIN_KEY": LONG}, config_problems) == Secret(LONG)
    assert env.admin_key({}, config_problems) is None
    assert [warning.split(":")[0] for warning in config_problems.warnings] == ["GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY"]
    assert "letmein" not in str(config_problems)


@pytest.mark.parametrize(("text", "found"), [("0", 0), (" 8000 ", 8000), ("65535", 65535), ("", None)])
def test_numbers_are_plain_digits_within_bounds(text: str, found: int | None) -> None:
    """A number is plain digits within its bounds."""
    config_problems = ConfigProblems()
    assert env.number({"N": text}, "N", least=0, most=65535, config_problems=config_problems) == found
    assert config_problems.problems == []


@pytest.mark.parametrize("text", ["65536", "-1", "80.0", "0x50", "٨٠", "9" * 5000, "eighty"])
def test_anything_but_a_number_is_a_problem(text: str) -> None:
    """Anything else is a problem that names the variable."""
    config_problems = ConfigProblems()
    assert env.number({"N": text}, "N", least=0, most=65535, config_problems=config_problems) is None
    assert config_problems.problems[0].startswith("N: ")


def test_provider_keys_are_stripped_and_empty_is_unset() -> None:
    """A provider's key loses the space around it; absent or empty it is not set."""
    config_problems = ConfigProblems()
    assert env.provider_keys({"K": " sk-1\n"}, "K", config_problems) == (Secret("sk-1"),)
    assert env.provider_keys({"K": "sk-1, sk-2,,sk-1"}, "K", config_problems) == (Secret("sk-1"), Secret("sk-2"))
    assert env.provider_keys({"K": ""}, "K", config_problems) == ()
    assert env.provider_keys({}, "K", config_problems) == ()
    assert config_problems.problems == []


@pytest.mark.parametrize("key", ["sk-1\nx-evil: 1", "two keys", "schlüssel"])
def test_keys_that_fit_no_header(key: str) -> None:
    """A key that could not stand in a header is a problem; the sentence does not show it."""
    config_problems = ConfigProblems()
    assert env.provider_keys({"K": key}, "K", config_problems) == ()
    assert config_problems.problems[0].startswith("K: ")
    assert key not in config_problems.problems[0]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True), ("LOCALHOST", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("", False), ("example.com", False), ("localhost.evil", False),
    ],
)  # fmt: skip
def test_only_localhost_and_loopback_addresses_are_local(host: str, loopback: bool) -> None:
    """Only localhost and loopback addresses stay on this machine; names are not trusted."""
    assert env.is_loopback(host) is loopback


def test_misspelt_variable_is_warned_about() -> None:
    """A variable that is nearly one of ours is warned about: a key under a wrong name would leave the gateway open."""
    environment = {"GATEWAY_APIKEY": "x", "GATEWAY_PORT": "1", "GATEWAY_FROBNICATE": "x", "OTHER_API_KEY": "x"}
    assert env.misspelt(environment) == ["GATEWAY_APIKEY: there is no such setting; did you mean GATEWAY_API_KEY?"]
