"""What a release consists of: the same bytes wherever it is built, and a wheel that works where nothing else is."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import OURS, URL
from tests.documents import ROOT, repository_files, text_of

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not shutil.which("git"), reason="needs a checkout and git"
)
EPOCH = "1764460800"  # a time for every file inside, as `scripts/build` takes that of the commit


def checkout(folder: Path, *, modified: int, mode: int) -> Path:
    """The files that git knows or would add, with other times and permissions."""
    for name in repository_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
        (folder / name).chmod(mode)
        os.utime(folder / name, (modified, modified))
    return folder


def build(source: Path, target: Path, *options: str) -> dict[str, Path]:
    """The archives by their endings."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *options]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)  # noqa: S603 - our own build
    return {path.suffix: path for path in target.iterdir()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("release")
    return build(checkout(folder / "source", modified=1_700_000_000, mode=0o644), folder / "dist")


def test_a_build_gives_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    """Another folder, other file times and another umask give the same sdist and wheel, and so does the sdist itself.

    Slow: it builds the package three times.
    """
    again = build(checkout(tmp_path / "elsewhere", modified=1_600_000_000, mode=0o600), tmp_path / "dist")
    assert {kind: digest(path) for kind, path in again.items()} == {kind: digest(path) for kind, path in built.items()}
    with tarfile.open(built[".gz"]) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    from_sdist = build(unpacked, tmp_path / "from_sdist", "-t", "wheel")
    assert digest(from_sdist[".whl"]) == digest(built[".whl"])


def test_the_sdist_has_what_the_tests_need(built: dict[str, Path]) -> None:
    """Every file of the checkout but git's own is in it, and no ledger, `.env` or environment."""
    with tarfile.open(built[".gz"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("tests/conftest.py", "tests/authority.pem", "scripts/test", "requirements-dev.txt", "docs/README.md"):
        assert name in names
    assert [
        name for name in names if name.endswith((".db", ".pyc", "/.env")) or name.startswith((".venv", "dist"))
    ] == []


def test_metadata_is_complete(built: dict[str, Path]) -> None:
    """Licence, its files, the readme, typing and both console scripts are in the wheel; its version has a chapter in the changelog."""
    with zipfile.ZipFile(built[".whl"]) as wheel:
        info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")).removesuffix("METADATA")
        metadata = Parser().parsestr(wheel.read(f"{info}METADATA").decode())
        scripts = wheel.read(f"{info}entry_points.txt").decode()
        assert {f"{info}licenses/LICENSE", f"{info}licenses/NOTICE", "gateway/py.typed"} <= set(wheel.namelist())
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE", "NOTICE"])
    assert str(metadata.get_payload()).startswith("# Gateway")
    assert "auto-gateway = gateway.__main__:main" in scripts
    assert "\ngateway = gateway.__main__:main" in scripts
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version}" in text_of("CHANGELOG.md")
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_the_wheel_works_in_an_environment_of_its_own(built: dict[str, Path], tmp_path: Path) -> None:
    """In a new environment, with only the dependencies of this one, `auto-gateway` shows its help and the demo answers.

    Slow: it makes an environment and starts the demo in it.
    """
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)  # noqa: S603 - this interpreter
    inherited = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name) and name != "PYTHONPATH"}
    python = environment / "bin" / "python"
    command = [
        sys.executable,
        "-m",
        "pip",
        "--isolated",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-compile",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*command, str(built[".whl"])], check=True, capture_output=True)  # noqa: S603 - this interpreter's pip
    (packages,) = environment.glob("lib/python*/site-packages")
    # The dependencies only: the checkout is found by a .pth file of that folder, which is not read here.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = str(environment / "bin" / "auto-gateway")
    shown = subprocess.run([script, "--help"], cwd=tmp_path, env=inherited, capture_output=True, text=True, check=True)  # noqa: S603 - just installed
    assert "OpenAI-compatible gateway" in shown.stdout
    demo = subprocess.Popen(  # noqa: S603 - just installed
        [script, "demo", "--port", "0"], cwd=tmp_path, env=inherited, stderr=subprocess.PIPE, text=True
    )
    try:
        assert demo.stderr is not None
        lines = []
        for line in demo.stderr:
            lines.append(line)
            if found := URL.search(line):
                break
        assert str(packages) in lines[0]  # its configuration is the wheel's
        assert found is not None, lines
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        answer = httpx2.post(f"{found[1]}/v1/chat/completions", json=body)
        assert (answer.status_code, answer.headers["x-gateway-demo"]) == (200, "true")
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=20)
