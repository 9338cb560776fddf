"""The command line as a whole."""

from __future__ import annotations

import pytest

from gateway.cli import main
from tests.cli.conftest import Invoke


@pytest.mark.parametrize("name", main.commands)
def test_every_command_has_help(invoke: Invoke, name: str) -> None:
    """`--help` says in a sentence what a command does, and what each of its options means."""
    command = main.commands[name]
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert command.help is not None
    assert command.help.splitlines()[0] in " ".join(result.output.split())
    described = [option for option in command.params if getattr(option, "help", None)]
    assert len(described) == len([option for option in command.params if option.param_type_name == "option"])


def test_the_short_flag_for_help(invoke: Invoke) -> None:
    """`-h` is `--help`."""
    assert invoke("-h").output == invoke("--help").output


def test_version(invoke: Invoke) -> None:
    """`--version` names the program and its version."""
    assert invoke("--version").output.startswith("gateway, version ")


def test_unknown_command(invoke: Invoke) -> None:
    """A word that is no command ends with click's usage error."""
    assert invoke("conquer").exit_code == 2
