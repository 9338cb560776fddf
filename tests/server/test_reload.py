"""Following the configuration while the gateway serves."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.server.reload import INTERVAL, Reloader, is_outdated, on_hangup
from gateway.settings import Settings, load
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway


class Followed:
    """A gateway whose configuration file can be written, and a clock to look at it by."""

    def __init__(self, gateway: GatewayUnderTest, path: Path) -> None:
        self.under_test = gateway
        self.path = path
        self.now = 0.0
        self.environment = {
            **KEYS,
            "GATEWAY_CONFIG": str(path),
            "GATEWAY_DB": gateway.app.state.gateway.runtime.settings.db,
        }
        self.gateway: Gateway = gateway.app.state.gateway
        self.today = date(2026, 11, 22)
        self.reloader = Reloader(self.gateway, self.read, clock=lambda: self.now, today=lambda: self.today)

    def read(self) -> Settings:
        return load(self.environment, now=datetime.combine(self.today, time(), UTC))

    async def later(self) -> None:
        self.now += INTERVAL
        await self.reloader.check()

    @property
    def failed(self) -> float | None:
        return self.gateway.services.exporter.registry.get_sample_value("gateway_config_reload_failed")

    @property
    def baseline(self) -> str:
        """That of the next request."""
        return self.under_test.ask().headers["x-gateway-baseline-model"]


@pytest.fixture
def followed(make_gateway: MakeGateway, tmp_path: Path) -> Followed:
    gateway = make_gateway(config="baseline: claude/claude-haiku-5-5\n")
    return Followed(gateway, tmp_path / "gateway.yaml")


async def test_changed_file_applies_to_the_next_request(followed: Followed, caplog: pytest.LogCaptureFixture) -> None:
    """A file that has changed is obeyed by the next request, and only looked at now and then."""
    caplog.set_level(logging.INFO)
    assert followed.baseline == "claude-haiku-5-5"
    followed.path.write_text("baseline: claude/claude-opus-5-5\nmax_attempts: 1\n")
    await followed.reloader.check()
    assert followed.baseline == "claude-haiku-5-5"
    await followed.later()
    assert followed.baseline == "claude-opus-5-5"
    assert followed.gateway.runtime.settings.max_attempts == 1
    assert "reloaded from" in caplog.text


async def test_bad_file_changes_nothing_and_is_reported(followed: Followed, caplog: pytest.LogCaptureFixture) -> None:
    """A file with a mistake changes nothing; the log names file, line and key, the metric says so until it is mended."""
    followed.path.write_text("baseline: claude/claude-opus-5-5\nmax_atempts: 1\n")
    await followed.later()
    assert (followed.baseline, followed.failed) == ("claude-haiku-5-5", 1)
    assert f"{followed.path}:2: max_atempts: unknown key; did you mean 'max_attempts'?" in caplog.text
    followed.path.write_text("baseline: claude/claude-opus-5-5\n")
    await followed.later()
    assert (followed.baseline, followed.failed) == ("claude-opus-5-5", 0)


async def test_unchanged_files_are_not_read_again(followed: Followed) -> None:
    """As long as no file changes nothing is read again."""
    before = followed.gateway.runtime.settings
    await followed.later()
    assert followed.gateway.runtime.settings is before


async def test_requested_reload_reads_everything_again(followed: Followed) -> None:
    """When it is asked to the gateway reads everything again at once, new keys too, whether a file has changed or not."""
    followed.environment["GATEWAY_API_KEY"] = "a-long-enough-client-key"
    with on_hangup(followed.reloader.request):
        os.kill(os.getpid(), signal.SIGHUP)
        await followed.reloader.check()
    assert followed.under_test.ask().status_code == 401


async def test_files_that_come_and_go(followed: Followed) -> None:
    """A file beside the configuration counts as soon as it is there, and no more once it is gone."""
    models = followed.path.with_name("models.yaml")
    models.write_text("models: []\n")
    followed.path.write_text("")
    await followed.later()
    assert followed.under_test.ask(model="gpt-nothing").status_code == 404
    listed = len(followed.under_test.client.get("/v1/models").json()["data"])
    models.unlink()
    await followed.later()
    assert len(followed.under_test.client.get("/v1/models").json()["data"]) > listed


async def test_reload_without_any_provider_is_refused(followed: Followed) -> None:
    """A configuration that leaves nobody to ask is as bad as one with a mistake."""
    for name in KEYS:
        del followed.environment[name]
    followed.reloader.request()
    await followed.reloader.check()
    assert (followed.failed, followed.under_test.ask().status_code) == (1, 200)


async def test_reload_names_settings_that_need_a_restart(followed: Followed, caplog: pytest.LogCaptureFixture) -> None:
    """What only a start can change is told; warnings are told again too."""

    def read() -> Settings:
        return replace(followed.read(), port=1, warnings=("careful",))

    reloader = Reloader(followed.gateway, read)
    reloader.request()
    await reloader.check()
    assert "port has changed; that takes a restart" in caplog.text
    assert "careful" in caplog.text


MODELS = """
models:
  - {id: gemini-3.8-flash, provider: gemini, tier: simple}
  - {id: gemini-2.5-flash, provider: gemini, tier: simple, retires: 2026-12-01}
"""


async def test_a_model_is_left_out_from_the_day_it_retires_on(followed: Followed) -> None:
    """A gateway that runs across that day reads the configuration again at its beginning, and on no other day."""
    followed.path.write_text("max_attempts: 1\n")
    (followed.path.parent / "models.yaml").write_text(MODELS)
    await followed.later()
    before = followed.gateway.runtime
    assert before.settings.catalog.get("gemini", "gemini-2.5-flash") is not None
    followed.today = date(2026, 11, 30)
    await followed.later()
    assert followed.gateway.runtime is before
    followed.today = date(2026, 12, 1)
    await followed.later()
    assert [model.name for model in followed.gateway.runtime.settings.catalog] == ["gemini-3.8-flash"]


def test_another_list_price_outdates_the_catalogue() -> None:
    """A day on which a price of the snapshot begins makes routing's prices outdated; other days do not."""
    settings = load(KEYS, now=datetime(2026, 12, 2, tzinfo=UTC))
    assert not is_outdated(settings, since=date(2026, 12, 2), today=date(2026, 12, 3))
    assert is_outdated(settings, since=date(2026, 12, 2), today=date(2027, 1, 1))
