"""The documents name everything there is, and what they say of it is so."""

from __future__ import annotations

import ast
import importlib
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Route

from gateway import errors
from gateway.cli import main
from gateway.observability.prometheus import PrometheusExporter
from gateway.resilience.failure_classes import FAILURE_POLICIES
from gateway.settings.environment import VARIABLES
from gateway.settings.schema import GatewayFile, ModelsFile, ProvidersFile, Section
from gateway.store.sqlite import SqliteStore
from llm_simulator.__main__ import main as simulator
from tests.conftest import KEYS, MakeGateway
from tests.documents import PATHS, ROOT, Block, blocks, everything, quoted, table, text_of

SOURCES = sorted((ROOT / "gateway").rglob("*.py"))
MOST_CHARACTERS = 130
_FENCED = re.compile(r"```.*?```", re.DOTALL)
ENTRY_KEYS = {"providers": "name", "models": "id"}


# --- commands and settings


@pytest.fixture(scope="module")
def script() -> ModuleType:
    module = ModuleType("help_script")
    path = ROOT / "scripts" / "help"
    module.__file__ = str(path)
    SourceFileLoader("help_script", str(path)).exec_module(module)
    return module


def test_help_is_current(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands' help in the documents is what the commands say now."""
    assert script.main(["--check"]) == 0, capsys.readouterr().out


def test_help_can_be_written(script: ModuleType, tmp_path: Path) -> None:
    """The script fills in an empty block and leaves the rest alone."""
    (tmp_path / "page.md").write_text("before\n<!-- help: gateway models -->\n<!-- end -->\nafter\n")
    assert script.main(["--check"], folder=tmp_path) == 1
    assert script.main([], folder=tmp_path) == 0
    written = (tmp_path / "page.md").read_text()
    assert written.startswith("before\n")
    assert "Usage: gateway models [OPTIONS]" in written
    assert written.endswith("after\n")


def test_every_command_is_shown() -> None:
    """The help of each command, and of each of a group's, stands in a document."""
    shown = set(re.findall(r"<!-- help: (.+?) -->", everything()))
    below = {
        f"gateway {name} {each}"
        for name, group in main.commands.items()
        if isinstance(group, click.Group)
        for each in group.commands
    }
    assert shown == {"gateway", "python -m llm_simulator", *(f"gateway {name}" for name in main.commands), *below}


@pytest.mark.parametrize("command", [*main.commands.values(), simulator], ids=lambda command: str(command.name))
def test_every_option_is_named(command: click.Command) -> None:
    """Each option of each command is in a document by its long name."""
    text = everything()
    options = [name for option in command.params if isinstance(option, click.Option) for name in option.opts]
    assert [name for name in options if name.startswith("--") and name not in text] == []


def test_every_environment_variable() -> None:
    """Each variable that the gateway reads is a row of the configuration's table and a line of .env.example."""
    rows = yaml.safe_load((ROOT / "config" / "providers.yaml").read_text())["providers"]
    read = {*VARIABLES, *(row[key] for row in rows for key in ("api_key_env", "base_url_env"))}
    assert {name for row in table("configuration.md", "variable") for name in quoted(row[0])} == read
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^# ?([A-Z_]+)=", example, re.MULTILINE)) == read


def keys_of(schema: type[BaseModel]) -> Iterator[str]:
    """`timeouts.connect` for the keys of sections, plain names for the others."""
    for name, field in schema.model_fields.items():
        inner = [part for part in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_section(part)]
        yield from (f"{name}.{key}" for section in inner for key in section.model_fields) if inner else (name,)


def _is_section(part: object) -> bool:
    return isinstance(part, type) and issubclass(part, Section)


def test_every_key_of_gateway_yaml() -> None:
    """The table of gateway.yaml has its keys, no others, and in the schema's order of sections."""
    assert [quoted(row[0])[0] for row in table("configuration.md", "key")] == list(keys_of(GatewayFile))


@pytest.mark.parametrize(("schema", "heading"), [(ProvidersFile, "## providers.yaml"), (ModelsFile, "## models.yaml")])
def test_every_key_of_the_lists(schema: type[BaseModel], heading: str) -> None:
    """Each key of a row of providers.yaml and models.yaml is in the table of its chapter."""
    chapter = text_of("configuration.md").partition(f"{heading}\n")[2].partition("\n## ")[0]
    (row,) = next(iter(schema.model_fields.values())).annotation.__args__  # type: ignore[union-attr]  # list[Row]
    documented = re.findall(r"^\| `([a-z_]+)` \|", chapter, re.MULTILINE)
    assert documented == list(row.model_fields)


def test_every_default_is_shown_in_the_packaged_file() -> None:
    """config/gateway.yaml, its comments taken away, is a valid file with every key."""
    text = re.sub(r"^# ( *[a-z_]+:)", r"\1", (ROOT / "config" / "gateway.yaml").read_text(), flags=re.MULTILINE)
    shown = yaml.safe_load(text)
    GatewayFile.model_validate(shown)
    assert shown.keys() == GatewayFile.model_fields.keys()


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_examples(block: Block) -> None:
    """What the documents show of YAML is valid."""
    shown = yaml.safe_load(block.text)
    schema = ProvidersFile if "providers" in shown else ModelsFile if "models" in shown else GatewayFile
    assert schema.model_validate(shown)


# --- HTTP


def routes_of(app: Starlette) -> set[tuple[str, str]]:
    routes = [route for route in app.routes if isinstance(route, Route)]
    methods = [(next(iter((route.methods or {"POST"}) - {"HEAD"}), "HEAD"), route.path) for route in routes]
    return {(method, path.replace(":path", "")) for method, path in methods}


def documented_routes() -> Iterator[tuple[str, str, str]]:
    """Method, path and access."""
    for cell, access, *_ in table("configuration.md", "route"):
        first, *others = quoted(cell)
        method, _, path = first.partition(" ")
        yield from ((method, each, access) for each in (path, *others))


def test_every_route(make_gateway: MakeGateway) -> None:
    """The table of routes has those that are served, and no others."""
    assert {(method, path) for method, path, _ in documented_routes()} == routes_of(make_gateway().app)


@pytest.mark.parametrize(("method", "path", "access"), list(documented_routes()))
def test_access(make_gateway: MakeGateway, method: str, path: str, access: str) -> None:
    """Each route asks for the key that the table says."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "client", "GATEWAY_ADMIN_KEY": "admin"})
    url = re.sub(r"{\w+}", "x", path)
    let_in = set()
    for key in ("", "client", "admin"):
        # Streamed: the events of open pages have no end.
        with gateway.client.stream(method, url, headers={"x-api-key": key} if key else {}) as response:
            if response.status_code != 401:
                let_in.add(key)
    assert let_in == {"open": {"", "client", "admin"}, "client": {"client"}, "admin": {"admin"}}[access]


def literals(paths: list[Path], pattern: str) -> set[str]:
    """The string literals of these modules that the whole pattern fits."""
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text())))
    values = (node.value for node in nodes if isinstance(node, ast.Constant))
    texts = (value.decode() if isinstance(value, bytes) else value for value in values)
    return {text for text in texts if isinstance(text, str) and re.fullmatch(pattern, text)}


def test_every_header() -> None:
    """Each header that the HTTP layer reads or sends is in the configuration's chapter."""
    layers = {"api", "app", "app.py", "server"}
    headers = literals(
        [path for path in SOURCES if layers.intersection(path.parts)],
        r"x-[a-z-]+[a-z]|retry-after|www-authenticate|content-encoding|authorization|api-key",
    )
    assert len(headers) > 20
    assert {name for name in headers if f"`{name}`" not in text_of("configuration.md")} == set()


def test_every_metric() -> None:
    """The table of metrics has those that are exported, with their labels."""
    exported = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in PrometheusExporter().registry.collect()
    }
    assert {quoted(row[0])[0] for row in table("metrics.md", "metric")} == exported


def test_every_log_message_that_is_named() -> None:
    """The messages that the chapter on logs quotes are written by the log module."""
    chapter = text_of("metrics.md").partition("\n## Logs\n")[2]
    messages = {name for name in quoted(chapter) if " " in name}
    written = literals([ROOT / "gateway" / "observability" / "logs.py"], r"[a-z]+( [a-z]+)+")
    assert messages
    assert messages - written == set()


def error_classes() -> list[type[errors.GatewayError]]:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return [kind for kind in kinds if issubclass(kind, errors.GatewayError) and kind.code]


def test_every_error_class() -> None:
    """The table of errors has each class's code with its status and type, and no others."""
    rows = {(quoted(row[0])[0], row[1], quoted(row[2])[0]) for row in table("configuration.md", "code")}
    known = {(str(kind.code), str(kind.status), kind.type) for kind in error_classes()}
    assert known - rows == set()
    assert {row[0] for row in rows - known} <= {"client_closed_request", "upstream_error"}


def test_every_error_code() -> None:
    """Each code that is written anywhere in the gateway is in the configuration's chapter."""
    calls = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    given = (keyword.value for call in calls for keyword in call.keywords if keyword.arg == "code")
    codes = {node.value for value in given for node in ast.walk(value) if isinstance(node, ast.Constant)}
    names = {code for code in codes if isinstance(code, str) and re.fullmatch(r"[a-z][a-z_]+", code)}
    assert {code for code in names if f"`{code}`" not in text_of("configuration.md")} == set()


# --- the inside


def test_every_column(tmp_path: Path) -> None:
    """The ledger's table in the document has the columns of the file, in order and with their types."""
    path = tmp_path / "gateway.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        columns = connection.execute("SELECT name, type FROM pragma_table_info('routing_metrics')").fetchall()
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert [(quoted(row[0])[0], row[1]) for row in table("architecture.md", "column")] == columns
    named = {name for (name,) in tables if not name.startswith("sqlite_")}
    assert {name for name in named if f"`{name}`" not in text_of("architecture.md")} == set()


def test_every_dependency() -> None:
    """Each package that the gateway needs to run has its reason, and no other is named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [re.match(r"[a-z0-9-]+", line) for line in project["project"]["dependencies"]]
    assert [quoted(row[0])[0] for row in table("architecture.md", "package")] == [found[0] for found in needed if found]


def test_layers() -> None:
    """The layers in the document are those that import-linter keeps."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    kept = [re.findall(r"\w+", layer) for layer in contracts[0]["layers"]]
    drawn = next(block.text for block in blocks("text") if block.text.startswith("__main__"))
    assert [line.split(", ") for line in drawn.splitlines()] == kept


@pytest.mark.parametrize("document", ["architecture.md", "routing.md", "docs/README.md"])
def test_every_module_that_a_document_names_exists(document: str) -> None:
    """A path of a module or folder that a document names is there, seen from the root or from the package."""
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py|(?:[a-z_]+/)+)`", text_of(document))
    assert named
    assert [name for name in named if not any((ROOT / folder / name).exists() for folder in ("gateway", "."))] == []


IMPORTED = [
    (block, *found)
    for block in blocks("python")
    for found in re.findall(r"^from (gateway[\w.]*) import (.+)$", block.text, re.MULTILINE)
]


@pytest.mark.parametrize(("block", "module", "names"), IMPORTED, ids=str)
def test_examples_import_what_exists(block: Block, module: str, names: str) -> None:
    """Each name that an example imports of the gateway is there, also in examples that are not run."""
    members = vars(importlib.import_module(module))
    assert [name for name in names.split(", ") if name not in members] == []


def test_python_api() -> None:
    """Each name in the Python API's table is exported by gateway.routing, and so is everything else that it lists."""
    exported = vars(importlib.import_module("gateway.routing"))
    documented = {name for row in table("python-api.md", "name") for name in quoted(row[0])}
    assert {name for name in documented | set(exported["__all__"]) if name not in exported} == set()


def test_verdicts() -> None:
    """The table of failures says of each class who is tried next and whether the same one may be asked again."""
    rows = {quoted(row[0])[0]: (row[2], row[3]) for row in table("running.md", "class")}
    assert rows == {
        kind.__name__: (said.failover, "yes" if said.retry else "no") for kind, said in FAILURE_POLICIES.items()
    }


# --- manners


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links(path: Path) -> None:
    """Every link leads somewhere: to a file here, and to a heading where it names one."""
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, target


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_foreign_hosts(path: Path) -> None:
    """No document names a package registry's host or a path of somebody's machine."""
    text = path.read_text()
    assert re.findall(r"pypi\.org|pythonhosted|docker\.io|ghcr\.io|/home/|/Users/|/wor[k]/|/tmp/", text) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_lines_are_short(path: Path) -> None:
    """A line of text has at most 130 characters; tables and blocks may have more."""
    text = _FENCED.sub("", path.read_text())
    assert [line for line in text.splitlines() if len(line) > MOST_CHARACTERS and not line.startswith("|")] == []


RECORDS = [path for path in PATHS if path.parent.name == "decisions" and path.name != "README.md"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_every_decision_record(path: Path) -> None:
    """A decision record is in the index and says what led to the decision and what follows from it."""
    assert path.name in text_of("docs/decisions/README.md")
    headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    assert {"Context", "Decision", "Consequences"} <= set(headings)
