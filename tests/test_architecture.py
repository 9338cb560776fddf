"""What every module of the gateway and of its tests keeps to."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api.dashboard.page import STATIC
from tests.documents import ROOT

sre_parse: Any = importlib.import_module("re._parser")  # the standard library's parser of patterns
GATEWAY = ROOT / "gateway"
TESTS = ROOT / "tests"
MODULES = sorted([*GATEWAY.rglob("*.py"), *(ROOT / "llm_simulator").rglob("*.py")])
EVERYTHING = [*MODULES, *sorted(TESTS.rglob("*.py"))]
MOST_LINES = 400

FORBIDDEN = re.compile(r"utils?|helpers?|common|core|managers?|misc|shared", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MUTATORS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "update",
        "setdefault",
        "add",
        "discard",
        "appendleft",
        "popleft",
        "sort",
    ]
)
CONTAINERS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
MAKERS = frozenset({"dict", "list", "set", "deque", "defaultdict", "OrderedDict", "Counter"})

# Modules, or all of a package, that have no test file of their own, and why.
TESTED_ELSEWHERE = {
    "__main__.py": "three lines, run as a process by tests/cli",
    "errors.py": "a tree of classes; tests/api/test_errors.py shows what clients are told of them",
    "records.py": "facts, which tests/store and tests/proxy read back",
    "routing/prompt/lexicon.py": "the words of other languages that tests/routing/prompt/test_complexity.py and test_patterns.py read",
    "routing/types.py": "values and a base class, made in every test of routing",
    "api/openapi": "one document, which tests/api/test_openapi.py and tests/end_to_end/test_description.py hold against the gateway",
    "store/database_store.py": "what all stores share, which tests/store/test_protocol.py runs on each",
    "store/file_session.py": "tests/store/test_writer.py deletes and replaces its file",
    "store/operations.py": "tests/store/test_protocol.py applies each mutation, to every store",
    "proxy": "its modules are steps of one story, which tests/proxy/test_chat.py follows from body to row",
    "llm_simulator/claude": "one table of requests goes through the vendor's modules together",
    "llm_simulator/gemini": "as llm_simulator/claude",
    "llm_simulator/openrouter": "as llm_simulator/claude",
    "llm_simulator/vendor.py": "what the three vendors have in common",
    "llm_simulator/fault_injection.py": "tests/llm_simulator/test_responses.py breaks connections with it",
    "llm_simulator/simulation.py": "the state that tests/llm_simulator/test_control.py reads",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_size(path: Path) -> None:
    """A module is one sitting."""
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_opens_with_what_it_is_about(path: Path) -> None:
    """A module's docstring says what it owns."""
    assert ast.get_docstring(tree_of(path))


def test_names() -> None:
    """A function lives with the subject it is about, not in a drawer for leftovers."""
    words = {name_of(path): path.stem.split("_") for path in EVERYTHING}
    assert [name for name, parts in words.items() if any(FORBIDDEN.fullmatch(part) for part in parts)] == []
    classes = (node.name for path in MODULES for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef))
    assert [name for name in classes if re.search(r"(Manager|Helper|Util|Utils|Processor)$", name)] == []


def test_nothing_is_printed() -> None:
    """The gateway talks through its log and click, never through `print`."""
    calls = ((path, node) for path in MODULES for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    assert [name_of(path) for path, call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"] == []


def test_nothing_is_left_for_later() -> None:
    """There is no note of unfinished work in the code."""
    others = [path for path in EVERYTHING if path != Path(__file__).resolve()]
    assert [name_of(path) for path in others if UNFINISHED.search(path.read_text())] == []


def test_no_test_patches() -> None:
    """Tests pass in what they want to be different; they patch nothing."""
    others = [path for path in TESTS.rglob("*.py") if path != Path(__file__).resolve()]
    assert [name_of(path) for path in others if re.search(r"monkeypatch|mock\.patch|unittest", path.read_text())] == []


def containers(tree: ast.Module) -> Iterator[str]:
    """The names of a module's globals that hold a mutable container."""
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in MAKERS
        if not made and not isinstance(value, CONTAINERS):
            continue
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (target.id for target in targets if isinstance(target, ast.Name) and target.id != "__all__")


def changed(tree: ast.Module) -> Iterator[str]:
    """The names through which a module changes something: by a method, an item, or `global`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            yield from _name(node.func.value)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _name(node.value)
        elif isinstance(node, ast.AugAssign):
            yield from _name(node.target)


def _name(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_global_changes(path: Path) -> None:
    """A module's tables stay as they were written: nothing is kept in globals."""
    tree = tree_of(path)
    assert set(containers(tree)) & set(changed(tree)) == set()
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
    empty = (node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign))
    assert not [node for node in empty if isinstance(node.value, ast.Dict | ast.List) and not list(_parts(node.value))]


def _parts(value: ast.Dict | ast.List) -> Iterator[ast.expr | None]:
    yield from value.keys if isinstance(value, ast.Dict) else value.elts


def inside(path: Path) -> Path:
    """A module's path as its tests mirror it: within `gateway`, or with the name of the other package."""
    return path.relative_to(GATEWAY) if path.is_relative_to(GATEWAY) else path.relative_to(ROOT)


def own_tests(path: Path) -> bool:
    """Whether a module has its own test file: `x/y.py` in `tests/x/test_y.py`, or in files that begin so, or in a directory."""
    relative = inside(path)
    folder = TESTS / relative.parent
    stem = "init" if path.stem == "__init__" else path.stem.strip("_")
    return any(folder.glob(f"test_{stem}*.py")) or (folder / path.stem).is_dir()


def is_excepted(path: Path) -> bool:
    relative = inside(path)
    return any(part.as_posix() in TESTED_ELSEWHERE for part in (relative, *relative.parents))


@pytest.mark.parametrize("path", [path for path in MODULES if not is_excepted(path)], ids=name_of)
def test_every_module_has_its_tests(path: Path) -> None:
    """A module that does anything has a test file of its own, where one looks for it."""
    does = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree_of(path)))
    assert not does or own_tests(path)


def test_the_exceptions_are_needed() -> None:
    """What is listed as tested elsewhere is there, and a module in the list has no test file of its own."""
    listed = [(ROOT if name.startswith("llm_simulator") else GATEWAY) / name for name in TESTED_ELSEWHERE]
    assert [name_of(path) for path in listed if not path.exists() or (path.is_file() and own_tests(path))] == []


def test_page_and_style_are_packaged() -> None:
    """The dashboard's files are inside the package, and each static file there is served."""
    web = GATEWAY / "api" / "dashboard"
    assert {path.name for path in (web / "templates").iterdir()} == {
        *("layout.html", "parts.html", "sign_in.html", "error.html", "overview.html", "routing.html", "requests.html"),
        *("request.html", "try.html", "keys.html", "health.html"),
    }
    assert {path.name for path in (web / "static").iterdir()} == STATIC.keys()


def patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Every compiled pattern that is a name of a module that serves."""
    names = (path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in MODULES)
    served = (name for name in names if not name.startswith("llm_simulator") and not name.endswith("__main__"))
    found = ((name, vars(importlib.import_module(name.removesuffix(".__init__")))) for name in served)
    return {
        f"{module}.{name}": value
        for module, members in found
        for name, value in members.items()
        if isinstance(value, re.Pattern)
    }


def unbounded(parsed: Any) -> Iterator[Any]:
    """The bodies of the repeats without an upper bound within a parsed pattern."""
    for operator, argument in parsed:
        parts = argument if isinstance(argument, tuple | list) else (argument,)
        if str(operator).endswith("_REPEAT") and argument[1] is sre_parse.MAXREPEAT:
            yield argument[2]
        for part in parts:
            inner = part if isinstance(part, list) else (part,)
            for each in inner:
                if isinstance(each, sre_parse.SubPattern):
                    yield from unbounded(each)


@pytest.mark.parametrize("pattern", [pytest.param(each, id=name) for name, each in patterns().items()])
def test_no_pattern_repeats_repeats(pattern: re.Pattern[str] | re.Pattern[bytes]) -> None:
    """No regular expression has an endless repeat within an endless repeat: texts come from strangers."""
    assert [body for body in unbounded(sre_parse.parse(pattern.pattern, pattern.flags)) if list(unbounded(body))] == []
