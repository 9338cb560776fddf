"""`gateway models update`, from a server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.catalog.packaged import load_catalog, load_prices, packaged_file
from gateway.settings import load
from tests.cli.conftest import Invoke

VENDORS = {"claude": "anthropic", "gemini": "google", "openrouter": "openrouter"}


class Publisher:
    """A price list, and the address it is served at."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.models: dict[str, list[dict[str, Any]]] = {
            source: [raw(row) for row in load_prices().rows[name]] for name, source in VENDORS.items()
        }

    def body(self) -> bytes:
        return json.dumps([{"id": name, "models": models} for name, models in self.models.items()]).encode()

    def model(self, vendor: str, name: str) -> dict[str, Any]:
        return next(model for model in self.models[vendor] if model["id"] == name)


def raw(row: Any) -> dict[str, Any]:
    """A row of a snapshot as the public list has it, with only the price that is in force."""
    today = datetime.now(UTC).date().isoformat()
    *_, price = [price for price in row["prices"] if "daily" not in price and price.get("from", "") <= today]
    match = row.get("match", {"equals": row["id"]})
    if isinstance(match.get("equals"), list):
        match = {"or": [{"equals": name} for name in match["equals"]]}
    rates = {f"{kind}_mtok": rate for kind, rate in price.items() if kind in ("input", "output")}
    plain = {unit: rate["base"] if isinstance(rate, dict) else rate for unit, rate in rates.items()}
    return {"id": row["id"], "match": match, "prices": plain}


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = published.body()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    published = Publisher(f"http://127.0.0.1:{server.server_port}/data.json")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield published
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of one's own."""
    path = tmp_path / "gateway.yaml"
    path.write_text("max_attempts: 2\n")
    return path


def own_prices(config: Path) -> Path:
    return config.parent / "prices.json"


def test_new_prices_are_used(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """The list becomes a prices.json beside the configuration, of today; changes and new models are shown, the gateway uses it."""
    publisher.model("google", "gemini-3.8-flash")["prices"] = {"input_mtok": 0.5, "output_mtok": 2.125}
    publisher.models["anthropic"].append(
        {"id": "claude-new-9", "match": {"equals": "claude-new-9"}, "prices": {"input_mtok": 1, "output_mtok": 2}}
    )
    result = invoke("models", "update", "--from", publisher.url, GATEWAY_CONFIG=str(config))
    assert result.exit_code == 0, result.output
    assert "-> 0.5/2.125 USD per million tokens" in result.stdout
    assert "known, not routed to: claude/claude-new-9" in result.stdout
    settings = load({"GATEWAY_CONFIG": str(config)})
    assert settings.prices.dated == datetime.now(UTC).date()
    model = settings.catalog.get("gemini", "gemini-3.8-flash")
    assert model is not None
    assert (model.input_price, model.output_price) == (0.5, 2.125)
    assert settings.catalog.get("claude", "claude-new-9") is None


def test_a_dry_run_changes_nothing(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """--dry-run shows the same and writes no file, as JSON with --json."""
    publisher.model("google", "gemini-3.8-flash")["prices"] = {"input_mtok": 0.5, "output_mtok": 2.5}
    result = invoke("models", "update", "--from", publisher.url, "--dry-run", "--json", GATEWAY_CONFIG=str(config))
    told = orjson.loads(result.stdout)
    changed = {change["model"]: change["after"] for change in told["changed"]}
    assert (result.exit_code, changed["gemini/gemini-3.8-flash"]) == (0, [0.5, 2.5])
    assert told["new"] == []
    assert not own_prices(config).exists()


def test_an_unchanged_list_says_so(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """The second run finds nothing new."""
    for _ in range(2):
        result = invoke("models", "update", "--from", publisher.url, GATEWAY_CONFIG=str(config))
    assert "no price of the catalogue changes, and no model is new" in result.stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda models: models["openrouter"].__delitem__(slice(500, None)), "far fewer models"),
        (lambda models: models["google"].clear(), "far fewer models"),
    ],
    ids=["cut off", "empty"],
)
def test_a_doubtful_list_needs_force(
    invoke: Invoke, publisher: Publisher, config: Path, change: Any, sentence: str
) -> None:
    """A list with far fewer models changes nothing without --force. With it, the prices that are gone stay."""
    change(publisher.models)
    refused = invoke("models", "update", "--from", publisher.url, GATEWAY_CONFIG=str(config))
    assert (refused.exit_code, sentence in refused.stderr, own_prices(config).exists()) == (1, True, False)
    forced = invoke("models", "update", "--from", publisher.url, "--force", GATEWAY_CONFIG=str(config))
    assert (forced.exit_code, "their prices stay for past requests" in forced.stderr) == (0, True)
    assert len(load({"GATEWAY_CONFIG": str(config)}).catalog) == len(load({}).catalog)


def test_a_tenfold_change_needs_force(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """A price of the catalogue that changes by more than a factor of ten is not believed."""
    publisher.model("google", "gemini-3.8-flash")["prices"] = {"input_mtok": 100, "output_mtok": 2}
    result = invoke("models", "update", "--from", publisher.url, GATEWAY_CONFIG=str(config))
    assert (result.exit_code, "gemini/gemini-3.8-flash change by more than a factor of ten" in result.stderr) == (
        1,
        True,
    )


def test_a_model_of_the_catalogue_never_loses_its_price(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """A list in which a row no longer means a model of the catalogue would make the configuration invalid: it is refused."""
    publisher.model("google", "gemini-3.8-flash")["match"] = {"equals": "other"}
    result = invoke("models", "update", "--from", publisher.url, "--force", GATEWAY_CONFIG=str(config))
    assert (result.exit_code, "has no price for gemini/gemini-3.8-flash any more" in result.stderr) == (1, True)
    assert not own_prices(config).exists()


def test_what_is_not_understood_is_named(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """A row in an unknown form keeps its old price; of many new models the first are shown; deprecated ones are named."""
    publisher.model("google", "gemini-3.8-flash")["prices"] = {"audio_seconds_mtok": 1}
    publisher.model("anthropic", "claude-opus-5")["deprecated"] = True
    for n in range(25):
        publisher.models["openrouter"].append(
            {"id": f"new-{n}", "match": {"equals": f"new-{n}"}, "prices": {"input_mtok": n}}
        )
    result = invoke("models", "update", "--from", publisher.url, GATEWAY_CONFIG=str(config))
    assert "old prices stay: gemini/gemini-3.8-flash" in result.stderr
    assert "known, not routed to: 5 more" in result.stdout
    assert "deprecated by its provider: claude/claude-opus-5\n" in result.stdout
    before, after = load_catalog().get("gemini", "gemini-3.8-flash"), load({"GATEWAY_CONFIG": str(config)}).catalog
    assert after.get("gemini", "gemini-3.8-flash") == before


def test_retirements_are_shown(invoke: Invoke, publisher: Publisher, config: Path) -> None:
    """Models that will not be served any more are listed with their day, in `gateway models` too."""
    (config.parent / "models.yaml").write_text(
        "models: [{id: gemini-3.8-flash, provider: gemini, tier: simple, retires: 2999-01-01}]\n"
    )
    assert load({"GATEWAY_CONFIG": str(config)}).retirements == {"gemini/gemini-3.8-flash": date(2999, 1, 1)}
    result = invoke("models", "update", "--from", publisher.url, "--dry-run", GATEWAY_CONFIG=str(config))
    assert "retires: gemini/gemini-3.8-flash on 2999-01-01" in result.stdout
    assert "  retires 2999-01-01" in invoke("models", GATEWAY_CONFIG=str(config)).stdout


def test_the_packaged_configuration_is_copied_first(invoke: Invoke, publisher: Publisher, tmp_path: Path) -> None:
    """Without a configuration of one's own a copy of the packaged one is made, since prices stand beside the configuration."""
    result = invoke("models", "update", "--from", publisher.url)
    assert result.exit_code == 0, result.output
    assert "Wrote config/gateway.yaml, a copy" in result.stderr
    assert (tmp_path / "config" / "gateway.yaml").read_bytes() == packaged_file("gateway.yaml").read_bytes()
    with chdir(tmp_path):
        assert load({}).prices.dated == datetime.now(UTC).date()


def test_what_is_no_list_changes_nothing(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """A file that is no price list is told."""
    (tmp_path / "page.html").write_text("<html>")
    result = invoke("models", "update", "--from", "page.html", GATEWAY_CONFIG=str(config))
    assert (result.exit_code, "page.html is no price list: it is not JSON" in result.stderr) == (1, True)
