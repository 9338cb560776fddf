"""The command line as a whole."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from gateway.cli import Subcommands, main
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


def test_short_help_flag_works(invoke: Invoke) -> None:
    """`-h` is `--help`."""
    assert invoke("-h").output == invoke("--help").output


def test_version_option_prints_name_and_version(invoke: Invoke) -> None:
    """`--version` names the program and its version."""
    assert invoke("--version").output.startswith("gateway, version ")


def test_unknown_command_is_a_usage_error(invoke: Invoke) -> None:
    """A word that is no command ends with click's usage error."""
    assert invoke("conquer").exit_code == 2


def test_serving_does_not_import_the_demo() -> None:
    """Only the module of the command that is called is imported."""
    program = "import sys; from gateway.cli import main; main.commands['serve']; print('llm_simulator' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - this program only
    assert done.stdout == "False\n"


def test_commands_can_be_added_and_removed() -> None:
    """Further commands can be added, and taken away again."""
    commands = Subcommands("serve")
    commands["hello"] = click.Command("hello")
    assert (len(commands), commands["hello"].name) == (2, "hello")
    del commands["hello"]
    assert list(commands) == ["serve"]


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_numpy_gets_one_thread_unless_the_environment_says_more(given: dict[str, str], threads: str) -> None:
    """The variable is set before anything can import NumPy, which reads it once."""
    source = "import sys, os; sys.modules['numpy'] = None; import gateway.__main__; print(os.environ['OPENBLAS_NUM_THREADS'])"
    variables = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, env=variables | given, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout.strip() == threads
