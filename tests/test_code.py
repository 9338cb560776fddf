"""What the gateway's own code never does: run text, unpickle, or put text into SQL."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.catalog.packaged import SafeLoader
from tests.documents import ROOT

MODULES = sorted((ROOT / "gateway").rglob("*.py"))
# Text that becomes code or commands, and formats that run code when they are read.
RUN = {"eval", "exec", "__import__"}
COMMANDS = {
    f"os.{name}" for name in ("system", "popen", "execv", "execve", "execvp", "spawnv", "posix_spawn", "startfile")
}
IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "ctypes", "subprocess", "xml", "telnetlib"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_text_is_run(path: Path) -> None:
    """No module evaluates text, starts a command, or reads a format that can carry code."""
    assert imported(path) & IMPORTS == set()
    assert {ast.unparse(node.func) for node in calls(path)} & (RUN | COMMANDS) == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_yaml_makes_plain_values_only(path: Path) -> None:
    """YAML is read by a safe loader, which makes no objects of classes that the text names."""
    loads = [
        node for node in calls(path) if ast.unparse(node.func).startswith("yaml.") and "load" in ast.unparse(node.func)
    ]
    loaders = [[ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "Loader"] for node in loads]
    assert all(loader and "SafeLoader" in loader[0] for loader in loaders)


def test_the_safe_loader_is_one() -> None:
    """The loader that the gateway reads YAML with refuses the tags that make objects."""
    with pytest.raises(yaml.YAMLError):
        yaml.load("!!python/object/apply:os.getcwd []", Loader=SafeLoader)  # noqa: S506 - that it refuses is the test


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name == "store"], ids=name_of)
def test_values_are_parameters(path: Path) -> None:
    """What is executed is a constant or a statement's name; only a PRAGMA, which takes no parameter, is put together on the spot."""
    executed = [
        node.args[0]
        for node in calls(path)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("execute", "executemany") and node.args
    ]
    made = [ast.unparse(query) for query in executed if isinstance(query, ast.JoinedStr | ast.BinOp | ast.Call)]
    assert [query for query in made if "PRAGMA" not in query] == []


@pytest.mark.parametrize("module", ["sql.py", "rollup.py"])
def test_queries_are_put_together_from_own_names(module: str) -> None:
    """The few queries that are put together hold constants, names of columns out of constants, and placeholders."""
    tree = ast.parse((ROOT / "gateway" / "store" / module).read_text())
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    values = [part.value for text in texts for part in text.values if isinstance(part, ast.FormattedValue)]
    names = {node.id for value in values for node in ast.walk(value) if isinstance(node, ast.Name)}
    modules, functions = {"encoding", "rollup", "len"}, {"_assignments"}
    constants = {"_", "column", "columns", "name", "kind", "expression", "event", "row", "sign", "measure"}
    placeholders = {"conditions", "where"}
    assert {name for name in names if not name.isupper()} <= modules | functions | constants | placeholders
    members = {node.attr for value in values for node in ast.walk(value) if isinstance(node, ast.Attribute)}
    assert {member for member in members if not member.isupper()} <= {"join", "items"}
