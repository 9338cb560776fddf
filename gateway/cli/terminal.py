"""Writes the output of commands, so that stored text cannot control the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def interruptible(state: Callable[[], str]) -> Iterator[None]:
    """Ctrl-C ends the command with a sentence: `state` says what was done until then and what to do."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.ClickException(f"Interrupted. {state()}") from None


def echo(text: str) -> None:
    """Write lines of text, with what cannot be printed written as JSON escapes (so JSON stays the same JSON)."""
    click.echo(shown(text))


def shown(text: str) -> str:
    """`text` with control, bidirectional and other invisible characters escaped; line ends stay.

    Model names come from upstreams, and other tools write ledgers too.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(char if char == "\n" or char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
