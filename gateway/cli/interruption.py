"""Says what an interrupted command leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def interruptible(sentence: Callable[[], str]) -> Iterator[None]:
    """Ends the command with the sentence, and status 1, when Ctrl-C or SIGINT interrupts what is inside."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        raise click.ClickException(f"Interrupted: {sentence()}") from None
