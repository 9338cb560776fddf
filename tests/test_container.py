"""The image's and Compose's files, as far as they can be judged without an engine."""

from __future__ import annotations

import re
from typing import Any

import yaml

from gateway.settings import load
from tests.documents import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def service() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]["gateway"]
    return found


def test_compose_needs_nothing_to_be_read() -> None:
    """Without a .env and without keys the file is still valid: every variable has a default, the file is optional."""
    assert [found for found in re.findall(r"\$\{[^}]*\}", COMPOSE) if ":-" not in found] == []
    assert service()["env_file"] == [{"path": ".env", "required": False}]


def test_open_answers_may_finish() -> None:
    """Compose waits longer before it kills than the gateway lets answers finish."""
    settings = load({})
    assert int(service()["stop_grace_period"].removesuffix("s")) > settings.drain_delay + settings.grace


def test_the_ledger_outlives_the_container() -> None:
    """What is written under /data is in a volume, in the image and in Compose, and the rest is read-only."""
    assert service()["volumes"] == ["ledger:/data"]
    assert service()["read_only"] is True
    assert service()["environment"]["GATEWAY_DB"].startswith("/data/")
    assert "\nVOLUME /data\n" in DOCKERFILE


def test_published_on_loopback() -> None:
    """Only this machine reaches the published port, unless somebody changes that."""
    assert [port.split(":")[0] for port in service()["ports"]] == ["127.0.0.1"]


def test_the_context_is_what_is_copied() -> None:
    """The build context has what the Dockerfile copies and nothing else, so that no .env or ledger gets into a layer."""
    copied = {
        source
        for words in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in words.split()[:-1]
    }
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignore[0] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_image_installs_only_hashed_packages() -> None:
    """Everything that is fetched is fetched by its hash."""
    installs = re.findall(r"pip install (.+?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 3
    assert all("--require-hashes" in words or "--no-index" in words for words in installs)


def test_image_runs_as_an_unprivileged_user() -> None:
    """The last stage runs as a user of its own."""
    assert "\nUSER gateway\n" in DOCKERFILE.rpartition("\nFROM ")[2]
