"""Secrets that are read from files, as Docker and Kubernetes hand them over."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings import Secret, load
from gateway.settings import environment as env
from gateway.settings.yaml_file import ConfigProblems

KEY, OTHER = "k" * 24, "o" * 24


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return path


def test_every_secret_can_be_in_a_file(tmp_path: Path) -> None:
    """NAME_FILE names a file with the client keys, the admin key, a provider's keys or the ledger's URL; its line end is no part."""
    texts = {
        "GATEWAY_API_KEY": f"{KEY},{OTHER}\n",
        "GATEWAY_ADMIN_KEY": f"{OTHER}\r\n",
        "GEMINI_API_KEY": "sk-1,sk-2\n",
        "GATEWAY_DB": "postgresql://gateway:secret@db:5432/gateway\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.encode())
    settings = load({f"{name}_FILE": str(tmp_path / name) for name in texts})
    assert settings.client_keys == (Secret(KEY), Secret(OTHER))
    assert settings.admin_key == Secret(OTHER)
    assert [(each.name, each.keys) for each in settings.providers] == [("gemini", (Secret("sk-1"), Secret("sk-2")))]
    assert settings.db == "postgresql://gateway:secret@db:5432/gateway"
    assert settings.sources["db"] == "GATEWAY_DB_FILE"
    assert [warning for warning in settings.warnings if "KEY" in warning] == []


def test_a_variable_and_its_file_exclude_each_other(written: Path) -> None:
    """Both at once is a problem that names both and shows no key: nobody can tell which one is old."""
    with pytest.raises(ConfigError) as caught:
        load({"GATEWAY_API_KEY": OTHER, "GATEWAY_API_KEY_FILE": str(written)})
    assert caught.value.problems == ["GATEWAY_API_KEY and GATEWAY_API_KEY_FILE: both are set; unset one of them"]


@pytest.mark.parametrize("variables", [{"K": ""}, {"K": " "}, {}], ids=["empty", "blank", "absent"])
def test_an_empty_variable_does_not_exclude_its_file(written: Path, variables: dict[str, str]) -> None:
    """An empty variable counts as absent, as everywhere; likewise an empty name of a file."""
    config_problems = ConfigProblems()
    assert env.secret({**variables, "K_FILE": str(written)}, "K", config_problems) == KEY
    assert env.secret({"K": KEY, "K_FILE": " "}, "K", config_problems) == KEY
    assert config_problems == ConfigProblems()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty: write the secret into it, or unset K_FILE"),
        (b" \n", "is empty: write the secret into it, or unset K_FILE"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8 text"),
        (b"k" * 65_537, "has more than 65536 bytes, which no key has"),
    ],
    ids=["missing", "empty", "blank", "binary", "huge"],
)
def test_a_file_without_a_secret_is_a_problem(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """A file that is not there, empty, no text or too long for a key is a problem: it must not leave the gateway open."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    config_problems = ConfigProblems()
    assert env.secret({"K_FILE": str(path)}, "K", config_problems) is None
    assert config_problems.problems == [f"K_FILE: the file {path} {problem}"]


def test_what_is_wrong_in_a_file_names_its_variable(tmp_path: Path) -> None:
    """Warnings and problems about the content name the variable of the file, and never the content."""
    paths = {name: tmp_path / name for name in ("GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY", "GEMINI_API_KEY")}
    for path in paths.values():
        path.write_text("two words")
    config_problems = ConfigProblems()
    environment = {f"{name}_FILE": str(path) for name, path in paths.items()}
    env.client_keys(environment, config_problems)
    env.admin_key(environment, config_problems)
    env.provider_keys(environment, "GEMINI_API_KEY", config_problems)
    told = [*config_problems.warnings, *config_problems.problems]
    assert [sentence.split(":")[0] for sentence in told] == [f"{name}_FILE" for name in paths]
    assert "two words" not in str(told)


def test_a_changed_file_is_read_at_the_next_load(written: Path) -> None:
    """A secret that was replaced counts from the next reload on."""
    environment = {"GATEWAY_API_KEY_FILE": str(written)}
    assert load(environment).client_keys == (Secret(KEY),)
    written.write_text(OTHER)
    assert load(environment).client_keys == (Secret(OTHER),)


def test_a_misspelt_file_variable_is_warned_about() -> None:
    """The variables of files are known: one of them is not misspelt, and one that is nearly one of them is."""
    assert env.misspelt({"GATEWAY_API_KEY_FILE": "x", "GATEWAY_DB_FILE": "x"}) == []
    assert env.misspelt({"GATEWAY_API_KEYS_FILE": "x"}) == [
        "GATEWAY_API_KEYS_FILE: there is no such setting; did you mean GATEWAY_API_KEY_FILE?"
    ]
