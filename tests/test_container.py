"""The image's and Compose's files, as far as they can be judged without an engine."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import yaml

from gateway.cli.configuration import KEY_VARIABLES
from gateway.settings import load
from gateway.settings.environment import FILE_VARIABLES
from tests.documents import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


SECRETS = yaml.safe_load((ROOT / "config" / "compose.secrets.yaml").read_text())
KUBERNETES = (ROOT / "config" / "kubernetes.yaml").read_text()


def service(name: str = "gateway") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE)["services"][name]
    return found


def container() -> dict[str, Any]:
    """The gateway's container of the Deployment."""
    found: dict[str, Any] = deployment()["template"]["spec"]["containers"][0]
    return found


def deployment() -> dict[str, Any]:
    found: dict[str, Any] = next(yaml.safe_load_all(KUBERNETES))["spec"]
    return found


def test_compose_needs_nothing_to_be_read() -> None:
    """Without a .env and without keys the file is still valid: every variable has a default, the file is optional.

    `${GATEWAY_API_KEY:?}` would refuse `docker compose config`, `down` and other profiles too; the container says what is missing.
    """
    assert [found for found in re.findall(r"\$\{[^}]*\}", COMPOSE) if ":-" not in found] == []
    assert service()["env_file"] == [{"path": ".env", "required": False}]


def test_the_demo_needs_no_key_of_a_provider() -> None:
    """Its profile starts `gateway demo` with nothing to set: no .env, a client key of its own, and a ledger of its own."""
    demo = service("demo")
    assert (demo["profiles"], demo["command"], demo["env_file"]) == (["demo"], ["gateway", "demo"], [])
    assert [port.split(":")[0] for port in demo["ports"]] == ["127.0.0.1"]
    assert demo["volumes"] == []
    written = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in demo["environment"].items()}
    settings = load(written)
    assert (settings.host, settings.db, settings.providers) == ("0.0.0.0", "gateway.db", ())
    assert [warning for warning in settings.warnings if "GATEWAY" in warning] == []


def test_secrets_are_files_that_the_gateway_reads() -> None:
    """The example hands over each secret as a file, and empties the variable that would contradict it."""
    gateway = SECRETS["services"]["gateway"]
    files = {name: value for name, value in gateway["environment"].items() if name.endswith("_FILE")}
    assert set(files) <= {*FILE_VARIABLES, *(f"{name}_FILE" for name in KEY_VARIABLES)}
    assert sorted(files.values()) == sorted(f"/run/secrets/{name}" for name in gateway["secrets"])
    assert set(gateway["secrets"]) == set(SECRETS["secrets"])
    assert set(SECRETS["secrets"]).isdisjoint(yaml.safe_load(COMPOSE)["secrets"])
    assert {name for name, value in gateway["environment"].items() if value == ""} == {
        name.removesuffix("_FILE") for name in files
    }


def test_no_image_can_change_under_its_name() -> None:
    """The base image is pinned by digest, and both stages use it; Compose's images have a version."""
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2
    images = [each["image"] for each in yaml.safe_load(COMPOSE)["services"].values()]
    assert [image for image in images if image != "auto-gateway" and not re.search(r":v?\d", image)] == []


def test_labels_are_those_of_the_package() -> None:
    """The image says what it is, in OCI's words, with the version and licence of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', DOCKERFILE))
    assert labels == {
        "title": project["name"],
        "description": project["description"],
        "version": project["version"],
        "licenses": project["license"],
    }


def test_the_image_has_the_extras() -> None:
    """PostgreSQL and OpenTelemetry can be configured without another image."""
    (lock,) = re.findall(r"-r (requirements-image\.txt)", DOCKERFILE)
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {re.split("[>=<]", name)[0] for extra in ("postgres", "otel") for name in extras[extra]} <= locked


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


def test_replicas_are_only_started_by_their_profile() -> None:
    """`docker compose up` is one gateway on SQLite; PostgreSQL, two replicas and nginx need the profile."""
    services = yaml.safe_load(COMPOSE)["services"]
    assert {name for name, each in services.items() if "profiles" not in each} == {"gateway"}
    assert {name for name, each in services.items() if each.get("profiles") == ["replicas"]} == {
        *("replica-1", "replica-2", "postgres", "proxy")
    }


def test_replicas_share_a_database_and_publish_nothing() -> None:
    """Both replicas use the same PostgreSQL, wait for it, and are reached through nginx only; nginx listens on loopback."""
    replicas = [service(name) for name in ("replica-1", "replica-2")]
    assert len({each["environment"]["GATEWAY_DB"] for each in replicas}) == 1
    assert all(each["environment"]["GATEWAY_DB"].startswith("postgresql://gateway:") for each in replicas)
    assert [each["ports"] + each["volumes"] for each in replicas] == [[], []]
    assert all(each["depends_on"]["postgres"] == {"condition": "service_healthy"} for each in replicas)
    assert all(each["stop_grace_period"] == service()["stop_grace_period"] for each in replicas)
    assert [port.split(":")[0] for port in service("proxy")["ports"]] == ["127.0.0.1"]


def test_kubernetes_waits_for_open_answers() -> None:
    """Kubernetes kills a Pod later than preStop, drain_delay and grace together take."""
    settings = load({})
    seconds = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = deployment()["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > seconds + settings.drain_delay + settings.grace


def test_kubernetes_asks_the_right_routes() -> None:
    """Readiness depends on the ledger, liveness does not; no Pod is taken away before its successor is ready."""
    probes = {name: container()[f"{name}Probe"]["httpGet"]["path"] for name in ("readiness", "liveness", "startup")}
    assert probes == {"readiness": "/readyz", "liveness": "/healthz", "startup": "/healthz"}
    assert deployment()["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert str(deployment()["template"]["spec"]["securityContext"]["runAsUser"]) in DOCKERFILE


def test_logs_do_not_fill_the_disk() -> None:
    """Every service's log is rotated and has a greatest size."""
    options = [each["logging"]["options"] for each in yaml.safe_load(COMPOSE)["services"].values()]
    assert all(each["max-size"] and each["max-file"] for each in options)
