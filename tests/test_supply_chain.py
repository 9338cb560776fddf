"""What is installed, what is shipped, and whom it talks to."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.documents import ROOT

# `any-OSI`: apsw is under whichever of the open source licences one likes.
LICENCES = ("MIT", "BSD", "Apache", "PSF", "MPL-2.0", "any-OSI")


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "scripts" / "sbom")]
    made: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - our own script
    return made


def test_the_bill_names_every_locked_package(bill: dict[str, Any]) -> None:
    """Every line of the lock is a component with its version and at least one hash."""
    lock = (ROOT / "requirements.txt").read_text()
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert len(bill["components"]) == lock.count("==") - lock.count("sys_platform ==") - lock.count("version ==")
    assert sum(len(component["hashes"]) for component in bill["components"]) == lock.count("--hash=")
    assert all(component["hashes"] for component in bill["components"])


def test_every_installed_package_is_permissive(bill: dict[str, Any]) -> None:
    """What is installed may be used by anybody: MIT, BSD, Apache, PSF or MPL, or any of them."""
    named = {
        component["name"]: component["licenses"][0]["license"]["name"]
        for component in bill["components"]
        if "licenses" in component
    }
    assert len(named) >= 12
    assert {name: licence for name, licence in named.items() if not any(each in licence for each in LICENCES)} == {}


def test_the_wheel_holds_the_gateway_and_nothing_else(tmp_path: Path) -> None:
    """The wheel has no file that Python would run by itself (`.pth`), and none outside of its own package."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own build
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith((".pth", ".so", ".pyd", ".exe"))]
    assert {name.split("/")[0] for name in names} == {
        "gateway",
        "llm_simulator",
        wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }
    assert "gateway/config/.env.example" in names  # `gateway init` fills it in
    assert {"gateway/config/gateway.yaml", "gateway/py.typed", "llm_simulator/py.typed"} <= set(names)


def test_it_talks_to_the_configured_hosts_only() -> None:
    """From its import to its last answer a gateway connects to its upstreams' addresses and looks up no other name."""
    command = [sys.executable, "-m", "tests.end_to_end.outbound"]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["statuses"] == [200] * len(told["statuses"])
    assert set(told["connected"]) == set(told["configured"])
    assert set(told["looked_up"]) <= {"127.0.0.1"}


def test_importing_opens_nothing() -> None:
    """Importing every module of the gateway opens no socket and starts no thread or process."""
    script = """
import sys, threading
names = []
sys.addaudithook(lambda event, _: names.append(event) if event.startswith(("socket.", "subprocess.")) else None)
import importlib, pkgutil, gateway
for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print([name for name in names if name in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen")],
      threading.active_count())
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - shown above
    assert ended.stdout.split() == ["[]", "1"]
