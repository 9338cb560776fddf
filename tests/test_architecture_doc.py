"""The walk through one request in docs/architecture.md names code that exists."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gateway.proxy.transaction_state import TRANSITIONS, State
from tests.documents import ROOT, quoted, table

MOST_FILES = 8


def walk() -> list[tuple[str, str]]:
    """Path and qualified name of each step."""
    places = (quoted(row[1])[0] for row in table("architecture.md", "step"))
    return [(path, name) for path, _, name in (place.partition(":") for place in places)]


def qualified_names(tree: ast.Module) -> Iterator[str]:
    """`Class`, `Class.method` and `function` of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            methods = (inner for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef))
            yield from (f"{node.name}.{method.name}" for method in methods)


def test_every_step_of_the_walk_exists() -> None:
    """Each `file:function` of the walk is in the code."""
    missing = [
        f"{path}:{name}"
        for path, name in walk()
        if not (ROOT / path).is_file() or name not in qualified_names(ast.parse((ROOT / path).read_text()))
    ]
    assert missing == []


def test_the_walk_needs_at_most_eight_files() -> None:
    """A newcomer follows one streamed request from socket to ledger in a few files."""
    files = {path for path, _ in walk()}
    assert 0 < len(files) <= MOST_FILES


def test_states_of_a_transaction() -> None:
    """The table of states has the transitions of the code, in its order."""
    rows = [
        [quoted(cell)[0] if quoted(cell) else None for cell in row[:3]] for row in table("architecture.md", "state")
    ]
    transitions = [
        [state.name, event, target.name] for state, events in TRANSITIONS.items() for event, target in events.items()
    ]
    assert rows[:-1] == transitions
    assert rows[-1] == [State.SETTLED.name, None, None]
