"""YAML that knows its lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.yaml_file import ConfigProblems, YamlFile, dotted, read_document


def read(path: Path, text: str | bytes) -> tuple[YamlFile, list[str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config_problems = ConfigProblems()
    document = read_document(path, config_problems)
    return document, [problem.removeprefix(f"{path}") for problem in config_problems.problems]


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    """Every key and every item of a list has its line; what is not written down has that of what is around it."""
    path = tmp_path / "x.yaml"
    document, problems = read(path, "a: 1\nb:\n  - c: 2\n    d: 3\n  - 4\n")
    assert problems == []
    assert document.data == {"a": 1, "b": [{"c": 2, "d": 3}, 4]}
    assert document.at(("b", 0, "d")) == f"{path}:4"
    assert document.at(("b", 1)) == f"{path}:5"
    assert document.at(("b", 0, "e", "f")) == f"{path}:3"
    assert document.at(("z",)) == str(path)
    assert document.problem(("b", 0, "d"), "is odd") == f"{path}:4: b[0].d: is odd"


def test_empty_file_has_no_keys(tmp_path: Path) -> None:
    """A file without content is one without keys."""
    assert read(tmp_path / "x.yaml", "# nothing\n") == (YamlFile(tmp_path / "x.yaml", {}), [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: a: the key stands twice, first in line 1"),
        ("a:\n  - {b: 1, b: 2}\n", ":2: a[0].b: the key stands twice, first in line 2"),
        ("a: 1\n b: 2\n", ":2: not valid YAML: mapping values are not allowed in this context"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            ":1: not valid YAML: could not determine a constructor for the tag",
        ),
        ("a: 1\n---\nb: 2\n", ":2: not valid YAML: but found another document"),
        ("a: 2026-13-45\n", ": not valid YAML: month must be in 1..12"),
        ("- a\n", ":1: the file has to be a mapping of keys to values"),
        (b"a: \xff\n", ": cannot be read: "),
        ("a: \x01\n", ": not valid YAML: unacceptable character"),
    ],
    ids=[
        "twice",
        "twice inside",
        "syntax",
        "no objects",
        "two documents",
        "no such day",
        "a list",
        "not UTF-8",
        "control",
    ],
)
def test_bad_yaml_is_a_problem_with_a_line(tmp_path: Path, text: str | bytes, problem: str) -> None:
    """A key that stands twice, broken YAML and anything but plain data are problems with a line, never an exception."""
    _, problems = read(tmp_path / "x.yaml", text)
    assert [found[: len(problem)] for found in problems] == [problem]


def test_recursive_anchor_ends(tmp_path: Path) -> None:
    """A value that contains itself does not keep the reader busy for ever."""
    document, problems = read(tmp_path / "x.yaml", "a: &a\n  b: *a\n")
    assert problems == []
    assert document.at(("a", "b")).endswith(":2")


def test_place_is_written_with_dots_and_brackets() -> None:
    """A place is told as one would write it in code."""
    assert dotted(("models", 2, "prices", "input")) == "models[2].prices.input"
