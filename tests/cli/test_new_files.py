"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from gateway.cli.new_files import write_files


def test_files_and_their_folder_are_made(tmp_path: Path) -> None:
    """All files are there afterwards, and no draft."""
    folder = tmp_path / "new"
    write_files({folder / "a": "1", folder / "b": "2"}, force=False)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "1", "b": "2"}


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    """One file that is there stops all; with `force` it is replaced."""
    (tmp_path / "b").write_text("old")
    files = {tmp_path / "a": "1", tmp_path / "b": "2"}
    with pytest.raises(click.ClickException, match=r"There is already .*b\. Nothing was written"):
        write_files(files, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "old"
    write_files(files, force=True)
    assert (tmp_path / "b").read_text() == "2"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """An error of the system ends the command with the place, and leaves no draft."""
    (tmp_path / "file").write_text("")
    with pytest.raises(click.ClickException, match="cannot be written"):
        write_files({tmp_path / "a": "1", tmp_path / "file" / "b": "2"}, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
