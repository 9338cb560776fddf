"""The command line: one subcommand a module, imported on demand, so that `serve` need not wait for the demo's simulators."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from keyword import iskeyword

import click


class Subcommands(MutableMapping[str, click.Command]):
    """Each name is that of a module here and of the command in it; `import` is in `import_`, since it is a word of Python."""

    def __init__(self, *names: str) -> None:
        self._commands: dict[str, click.Command | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> click.Command:
        command = self._commands[name]
        if command is None:
            module = f"{name}_" if iskeyword(name) else name
            command = self._commands[name] = getattr(import_module(f"gateway.cli.{module}"), module)
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    commands=Subcommands(
        "init",
        "serve",
        "demo",
        "doctor",
        "route",
        "ask",
        "models",
        "report",
        "replay",
        "requests",
        "export",
        "statusline",
        "explain",
        "reprice",
        "reconcile",
        "feedback",
        "keys",
        "learning",
        "backup",
        "prune",
        "db",
        "import",
    ),
)
@click.version_option(package_name="auto-gateway", prog_name="gateway")
def main() -> None:
    """An OpenAI-compatible gateway that sends each request to the model that is good enough at the lowest cost."""
