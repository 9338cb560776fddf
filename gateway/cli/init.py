"""`gateway init`: writes a first `.env` from `.env.example`."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

import click

from gateway.catalog.packaged import PACKAGE
from gateway.cli.configuration import KEY_VARIABLES

TARGET = Path(".env")
# In the wheel the example is beside the packaged configuration; in a checkout it is at the top.
EXAMPLES = (PACKAGE / "config" / ".env.example", PACKAGE.parent / ".env.example")
_KEY = re.compile(r"[\w.:/+=@~,-]+", re.ASCII)  # means the same with and without quotes in a `.env`


@click.command()
def init() -> None:
    """Write a file .env in this directory, with the keys that you give.

    It asks for the key of each provider; Enter leaves one out. All other settings are in the file as comments. A .env that
    is there stays as it is.
    """
    if TARGET.exists():
        raise _there_already()
    given = {name: _ask(name) for name in KEY_VARIABLES}
    if click.confirm("Make a client key and an admin key? Needed where others can reach the gateway", default=False):
        given |= {name: secrets.token_hex(24) for name in ("GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY")}
    values = {name: value for name, value in given.items() if value}
    example = next(path for path in EXAMPLES if path.is_file())
    _write(filled(example.read_text(encoding="utf-8"), values))
    click.echo(
        f"Wrote {TARGET} with {', '.join(values) or 'no key'}. `gateway doctor` checks it, `gateway serve` starts."
    )


def filled(example: str, values: Mapping[str, str]) -> str:
    """The example with these variables set; the others stay comments."""
    for name, value in values.items():
        example = example.replace(f"# {name}=\n", f"{name}={value}\n")
    return example


def _ask(name: str) -> str:
    return str(click.prompt(name, default="", show_default=False, hide_input=True, value_proc=_checked))


def _checked(text: str) -> str:
    if text and not _KEY.fullmatch(text):
        raise click.BadParameter("a key has no spaces, quotes or other special characters; give it again, or nothing.")
    return text


def _write(text: str) -> None:
    """Only its owner can read the file."""
    try:
        descriptor = os.open(TARGET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _there_already() from None
    except OSError as error:
        raise click.ClickException(f"{TARGET} cannot be written: {error.strerror}.") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _there_already() -> click.ClickException:
    return click.ClickException(
        f"There is a file {TARGET} here already. Edit it, or move it away; nothing was changed."
    )
