"""Writes files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click


def write_files(files: Mapping[Path, str], *, force: bool) -> None:
    """Write all files, each in one step. Files that are there are replaced only with `force`; else nothing is written.

    Ends the command with a sentence where that cannot be done.
    """
    present = [str(path) for path in files if path.exists()]
    if present and not force:
        raise click.ClickException(
            f"There is already {' and '.join(present)}. Nothing was written: name another place with --output, or replace with --force."
        )
    drafts = {path.with_name(f".{path.name}.{os.getpid()}.new"): path for path in files}
    try:
        for draft, path in drafts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(files[path], encoding="utf-8")
        for draft, path in drafts.items():
            draft.replace(path)
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written: {error.strerror}.") from None
    finally:
        for draft in drafts:
            if draft.exists():
                draft.unlink()
