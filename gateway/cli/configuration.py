"""Loads the configuration of a command; exits naming every problem."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Any

import click

from gateway.errors import ConfigError
from gateway.settings import Settings, add_dotenv, load

KEY_VARIABLES = ("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY")


def environment() -> MutableMapping[str, str]:
    """This process's environment with what `.env` in the working directory adds. Exits naming the wrong lines of that file."""
    try:
        add_dotenv(os.environ)
    except ConfigError as error:
        raise exit_with(error) from None
    return os.environ


def settings_or_exit(environment: Mapping[str, str], **flags: Any) -> Settings:
    """The settings; `flags` are those of `load`. Exits naming every problem."""
    try:
        return load(environment, **flags)
    except ConfigError as error:
        raise exit_with(error) from None


def exit_with(error: ConfigError) -> SystemExit:
    """Prints every problem; the exit status of a bad configuration."""
    for problem in error.problems:
        click.echo(f"error: {problem}", err=True)
    return SystemExit(2)
