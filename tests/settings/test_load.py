"""Where settings come from, and what is refused."""

from __future__ import annotations

import re
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.catalog import Auto, Pinned
from gateway.catalog.packaged import packaged_file
from gateway.errors import ConfigError
from gateway.observability.alerts import ALERT_EVENTS
from gateway.observability.webhooks import Webhook
from gateway.settings import Limits, Secret, load
from gateway.settings.settings import TransportSettings
from gateway.transport import TimeLimits
from tests.settings.conftest import Load, Problems

LONG = "k" * 24


def test_defaults_listen_on_loopback(load_files: Load) -> None:
    """Without flags, variables and settings in the file the gateway listens on loopback with the usual limits."""
    settings = load_files()
    assert (settings.host, settings.port, settings.workers, settings.db) == ("127.0.0.1", 8000, 1, "gateway.db")
    assert (settings.durability, settings.max_attempts, settings.baseline) == ("normal", 3, None)
    assert (settings.timeouts, settings.limits) == (TimeLimits(), Limits())
    assert (settings.client_keys, settings.admin_key, settings.providers) == ((), None, ())
    assert (settings.tradeoff, settings.allowed_hosts, settings.record_features) == (0.5, (), True)
    assert settings.on_ledger_failure == "refuse"
    assert (settings.sources, settings.warnings) == ({}, ())


FILE = "host: 127.0.0.2\nport: 2\ndb: file.db\nworkers: 2\n"
VARIABLES = {"GATEWAY_HOST": "127.0.0.3", "GATEWAY_PORT": "3", "GATEWAY_DB": "env.db", "GATEWAY_WORKERS": "3"}
FLAGS = {"host": "127.0.0.4", "port": 4, "db": "flag.db", "workers": 4}


@pytest.mark.parametrize(
    ("variables", "flags", "expected", "source"),
    [
        ({}, {}, ("127.0.0.2", 2, "file.db", 2), "gateway.yaml:2"),
        (VARIABLES, {}, ("127.0.0.3", 3, "env.db", 3), "GATEWAY_PORT"),
        (VARIABLES, FLAGS, ("127.0.0.4", 4, "flag.db", 4), "--port"),
        ({"GATEWAY_PORT": " ", "GATEWAY_DB": ""}, {}, ("127.0.0.2", 2, "file.db", 2), "gateway.yaml:2"),
    ],
    ids=["file", "environment", "flags", "empty variables"],
)
def test_flag_wins_over_environment_over_file(
    load_files: Load, variables: dict[str, str], flags: dict[str, Any], expected: tuple[object, ...], source: str
) -> None:
    """A flag wins over the environment, that over the file; an empty variable is not set. The source is remembered."""
    settings = load_files({"gateway.yaml": FILE}, flags=flags, **variables)
    assert (settings.host, settings.port, settings.db, settings.workers) == expected
    assert settings.sources["port"].endswith(source)


def test_every_key_of_the_file_is_read(load_files: Load) -> None:
    """Each key of gateway.yaml arrives in the settings."""
    text = """
        durability: full
        tradeoffs: {cheap: 0.1, thrifty: 0}
        baseline: gpt-4o
        aliases: {gpt-4o: claude-sonnet-5-5, gpt-4o-mini: auto:thrifty}
        timeouts: {connect: 1, first_byte: 2.5, thinking: 800, total: 599, stream: 7200}
        keep_alive: 7.5
        max_attempts: 2
        mode: shadow
        cascade: off
        strengths: off
        prompt_caching: off
        limits: {body_bytes: 1, bodies_bytes: 3, in_flight: 2, queue: 0, queue_wait: 2.5}
        drain_delay: 0
        grace: 12.5
        allowed_hosts: [gateway.localhost]
        cors_origins: [https://app.example]
        record_features: false
        tag_header: x-labels
        on_ledger_failure: serve
    """
    settings = load_files({"gateway.yaml": text})
    assert (settings.durability, settings.baseline, settings.max_attempts) == ("full", "gpt-4o", 2)
    assert {model.strength for model in settings.catalog} == {None}
    assert settings.tradeoffs == {"cheap": 0.1, "balanced": 0.5, "quality": 1.0, "thrifty": 0.0}
    limits = TimeLimits(connect=1, first_byte=2.5, thinking=800, idle=300, total=599, stream=7200)
    assert (settings.timeouts, settings.keep_alive) == (limits, 7.5)
    assert (settings.limits, settings.allowed_hosts) == (Limits(1, 2, 0, 2.5, 3), ("gateway.localhost",))
    assert settings.cors_origins == ("https://app.example",)
    assert (settings.mode, settings.cascade, settings.on_ledger_failure) == ("shadow", "off", "serve")
    assert settings.prompt_caching == "off"
    assert (settings.record_features, settings.drain_delay, settings.grace) == (False, 0, 12.5)
    assert settings.tag_header == "x-labels"
    assert settings.catalog.resolve("gpt-4o-mini") == Auto(0.0)
    assert settings.aliases["gemini-flash"] == "gemini/gemini-3.8-flash"


def test_time_limits_of_providers_and_models(load_files: Load) -> None:
    """Rows of providers.yaml and models.yaml have time limits of their own; those that are left out stay the gateway's."""
    provider = (
        "{name: local, kind: openai, base_url: 'http://127.0.0.1:1/v1', timeouts: {first_byte: 600, total: 1800}}"
    )
    model = "{id: slow, provider: local, tier: simple, prices: {input: 0, output: 0}, timeouts: {idle: 900}}"
    files = {"providers.yaml": f"providers:\n  - {provider}\n", "models.yaml": f"models:\n  - {model}\n"}
    settings = load_files(files)
    assert [entry.timeouts for entry in settings.providers] == [{"first_byte": 600, "total": 1800}]
    assert settings.model_timeouts == {("local", "slow"): {"idle": 900}}


@pytest.mark.parametrize("host", ["gateway.lan", "host.docker.internal", "10.0.0.5"])
def test_an_allowed_host_of_others_wants_keys(load_files: Load, host: str) -> None:
    """A name by which other machines may call is refused without client keys, with what to set; with one it is taken."""
    files = {"gateway.yaml": f"allowed_hosts: [localhost, 127.0.0.1, gateway.localhost, {host}]"}
    with pytest.raises(ConfigError, match=f"gateway.yaml:1: allowed_hosts: '{host}' .*set GATEWAY_API_KEY"):
        load_files(files)
    with pytest.raises(ConfigError):
        load_files(files, GATEWAY_ADMIN_KEY="an-admin-key-of-the-tests")
    assert load_files(files, GATEWAY_API_KEY="a-client-key-of-the-tests").allowed_hosts[-1] == host


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "X-Tags"])
def test_header_of_tags_carries_no_key(load_files: Load, header: str) -> None:
    """A header that may carry a key cannot become tags; names are in lower case."""
    with pytest.raises(ConfigError, match="tag_header"):
        load_files({"gateway.yaml": f"tag_header: {header}"})


@pytest.mark.parametrize("origin", ["'*'", "null", "app.example", "https://app.example/path", "'https://*.example'"])
def test_cors_origin_is_a_scheme_with_a_host(load_files: Load, origin: str) -> None:
    """What is no scheme with a host is refused as an origin, patterns too."""
    with pytest.raises(ConfigError, match="cors_origins"):
        load_files({"gateway.yaml": f"cors_origins: [{origin}]"})


def test_webhooks_have_a_url_and_what_they_get(load_files: Load) -> None:
    """A row has its format and events, by default JSON and all events; its URL is not printed."""
    rows = "[{url: 'https://hooks.example/secret', format: slack, events: [budget_80]}, {url: 'http://10.0.0.1:9000'}]"
    settings = load_files({"gateway.yaml": f"webhooks: {rows}"})
    first, second = settings.webhooks
    assert first == Webhook("https://hooks.example/secret", "slack", ("budget_80",))
    assert second == Webhook("http://10.0.0.1:9000", "json", ALERT_EVENTS)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("row", ["url: 'ftp://secret'", "url: 'https://user:secret@host/'", "format: json"])
def test_bad_webhook_is_a_problem_that_does_not_repeat_it(load_files: Load, row: str) -> None:
    """A URL that is not plain HTTP, or none, is a problem with its place; the URL, which may be a key, is not repeated."""
    with pytest.raises(ConfigError, match=r"webhooks\[0\].url") as raised:
        load_files({"gateway.yaml": f"webhooks: [{{{row}}}]"})
    assert "secret" not in str(raised.value)


def test_packaged_file_shows_the_defaults(load_files: Load) -> None:
    """What stands commented out in the packaged gateway.yaml is every key with its default."""
    lines = packaged_file("gateway.yaml").read_text().splitlines()
    shown = [line[2:] for line in lines if re.match(r"# +[a-z_]+:( |$)(?!DNS)", line) and "`" not in line]
    with_all = load_files({"gateway.yaml": "\n".join(shown)})
    without = load_files()
    names = (
        "host",
        "port",
        "workers",
        "db",
        "durability",
        "tradeoffs",
        "baseline",
        "transport",
        "timeouts",
        "keep_alive",
        "limits",
        "max_attempts",
    )
    for name in (*names, "allowed_hosts", "cors_origins", "record_features", "on_ledger_failure"):
        assert any(re.match(rf"{name}:", line) for line in shown), name
        assert getattr(with_all, name) == getattr(without, name)


def test_configuration_of_the_working_directory_wins_over_the_packaged(tmp_path: Path) -> None:
    """config/gateway.yaml of the working directory is read when it is there, else the packaged one."""
    with chdir(tmp_path):
        assert load({}).config == packaged_file("gateway.yaml")
        Path("config").mkdir()
        Path("config/gateway.yaml").write_text("port: 81\n")
        here = load({})
        elsewhere = load({}, config=packaged_file("gateway.yaml"))
    assert (here.config, here.port) == (Path("config/gateway.yaml"), 81)
    assert (elsewhere.config, elsewhere.port) == (packaged_file("gateway.yaml"), 8000)


def test_missing_configuration_file_is_a_problem(tmp_path: Path) -> None:
    """A file that is asked for has to be there."""
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read"):
        load({}, config=str(tmp_path / "absent.yaml"))


def test_address_beyond_this_machine_needs_a_client_key(load_files: Load, problems_of: Problems) -> None:
    """An address that other machines reach is refused without a client key, and accepted with one."""
    (problem,) = problems_of(GATEWAY_HOST="0.0.0.0", GATEWAY_ADMIN_KEY=LONG)
    assert "set GATEWAY_API_KEY" in problem
    assert load_files(GATEWAY_HOST="0.0.0.0", GATEWAY_API_KEY=LONG).client_keys == (Secret(LONG),)


@pytest.mark.parametrize(
    ("db", "sentence"),
    [
        ("mysql://user:hidden@h", "'mysql' is no database that the gateway knows"),
        ("postgresql+psycopg://user:hidden@h/d", "'postgresql+psycopg' is no database that the gateway knows"),
    ],
)
def test_unsupported_database_is_refused(problems_of: Problems, db: str, sentence: str) -> None:
    """Another kind of database is refused with a sentence that has no password."""
    (problem,) = problems_of(GATEWAY_DB=db)
    assert sentence in problem
    assert "hidden" not in problem


@pytest.mark.parametrize("db", ["postgresql://user:secret@h:5432/d", "postgres:///d?host=/run/postgresql"])
def test_postgresql_is_a_database(load_files: Load, db: str) -> None:
    """The ledger may be a PostgreSQL database, named by its URL."""
    assert load_files(GATEWAY_DB=db).db == db


def test_all_problems_are_reported_at_once(problems_of: Problems) -> None:
    """Every problem of every file and variable is told in one go, with file, line and key where there are such."""
    problems = problems_of(
        {
            "gateway.yaml": "hots: x\ntimeouts:\n  connect: 600\n",
            "models.yaml": "models:\n  - {id: x, provider: gemini, tier: easy}\n",
            "providers.yaml": "providers: []\nmodels: []\n",
        },
        GATEWAY_PORT="70000",
    )
    assert problems == [
        "gateway.yaml:3: timeouts.connect: Input should be less than 600",
        "gateway.yaml:1: hots: unknown key; did you mean 'host'?",
        "GATEWAY_PORT: '70000' is not a number from 0 to 65535",
        "providers.yaml:2: models: unknown key (known are providers)",
        "models.yaml:2: models[0].tier: Input should be 'simple', 'moderate' or 'complex'",
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("baseline: auto", "'auto' is no single model"),
        ("baseline: gpt-4o", "does not exist"),
        ("judge: {model: auto:cheap}", "judge.model: 'auto:cheap' is no single model"),
        ("judge: {model: gpt-4o}", "does not exist"),
        ("aliases: {a: b, b: a}", "aliases.a: it goes round in a circle"),
        ("aliases: {gpt-4o: no-such-model}", "aliases.gpt-4o: The model 'no-such-model' does not exist"),
    ],
)
def test_alias_or_baseline_without_a_model_is_a_problem(problems_of: Problems, line: str, sentence: str) -> None:
    """An alias or baseline that names no model is found at the start, with its line."""
    problems = problems_of({"gateway.yaml": f"port: 1\n{line}\n"})
    assert problems[0].startswith("gateway.yaml:2: ")
    assert sentence in problems[0]


def test_names_are_checked_beside_other_problems(problems_of: Problems) -> None:
    """Deviations elsewhere in the file do not hide what is wrong with its names."""
    wrong = "port: nope\naliases: {a: nowhere}\nbaseline: nobody\n"
    found = problems_of({"gateway.yaml": wrong}, GATEWAY_HOST="0.0.0.0")
    assert [problem.split(": ")[0] for problem in found] == [
        "gateway.yaml:1",
        "host '0.0.0.0' can be reached from other machines",
        "gateway.yaml:2",
        "gateway.yaml:3",
    ]


def test_own_models_and_providers_replace_the_packaged(load_files: Load) -> None:
    """A models.yaml and a providers.yaml beside gateway.yaml take the place of the packaged ones."""
    settings = load_files(
        {
            "models.yaml": "models:\n  - {id: llama-5, provider: ollama, tier: simple, prices: {input: 0, output: 0.5}}\n",
            "providers.yaml": "providers:\n  - {name: ollama, kind: openai, base_url: 'http://localhost:11434/v1'}\n",
        }
    )
    (model,) = settings.catalog
    price = settings.prices.price("ollama", "llama-5", datetime(2026, 1, 1, tzinfo=UTC))
    assert (model.full_name, model.input_price, model.output_price, model.created) == ("ollama/llama-5", 0.0, 0.5, 0)
    assert price is not None
    assert float(price.output.base) == 0.5
    assert settings.catalog.resolve("ollama/other") == Pinned("ollama", "other", None)


def test_transport_section_sets_engine_and_ca_file(tmp_path: Path) -> None:
    """The engine and a file of further authorities can be set; a file that is not there is a problem."""
    authorities = tmp_path / "ca.pem"
    authorities.touch()
    config = tmp_path / "gateway.yaml"
    config.write_text(f"transport:\n  engine: httpx\n  ca_file: {authorities}\n")
    assert load({}, config=config).transport == TransportSettings("httpx", authorities)
    config.write_text("transport:\n  engine: other\n  ca_file: missing.pem\n")
    with pytest.raises(ConfigError) as error:
        load({}, config=config)
    assert len(error.value.problems) == 2


@pytest.mark.parametrize(("old", "new"), [("lean", "builtin"), ("reference", "httpx")])
def test_old_engine_names_work_with_a_warning(load_files: Load, old: str, new: str) -> None:
    """A former name of an HTTP client still selects it; a warning names the line and the new name."""
    settings = load_files({"gateway.yaml": f"transport:\n  engine: {old}\n"})
    assert settings.transport.engine == new
    (warning,) = settings.warnings
    assert f"gateway.yaml:2: transport.engine: {old!r} is now called {new!r}" in warning


def test_current_engine_names_have_no_warning(load_files: Load) -> None:
    """The name in use today selects its HTTP client without a warning."""
    settings = load_files({"gateway.yaml": "transport:\n  engine: httpx\n"})
    assert (settings.transport.engine, settings.warnings) == ("httpx", ())
