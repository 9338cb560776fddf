"""Reads `.env` by dotenv's rules: as data, never as a shell script."""

from __future__ import annotations

import io
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from gateway.errors import ConfigError

DOTENV = Path(".env")


def read_dotenv(path: Path) -> Mapping[str, str]:
    """The variables that the file sets; none without a file. Raises ConfigError with every line that is no assignment.

    The sentences name lines but never quote them: the lines hold keys.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from None
    from dotenv import dotenv_values  # most starts have no such file
    from dotenv.parser import parse_stream

    wrong = [each.original for each in parse_stream(io.StringIO(text)) if each.error]
    if wrong:
        lines = [each.line + _leading_lines(each.string) for each in wrong]
        raise ConfigError([f"{path}:{line}: this line is not of the form NAME=value" for line in lines])
    found = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in found.items() if value is not None}


def add_dotenv(environment: MutableMapping[str, str], path: Path = DOTENV) -> None:
    """Set what the file sets and the environment does not: a variable that is set, even to nothing, wins over the file."""
    for name, value in read_dotenv(path).items():
        environment.setdefault(name, value)


def _leading_lines(text: str) -> int:
    """The empty lines before a statement, which the parser counts as part of it."""
    return text[: len(text) - len(text.lstrip())].count("\n")
