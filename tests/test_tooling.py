"""Makefile, container image and pre-commit hooks agree with the package and with CI."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.documents import ROOT


def test_makefile_declares_its_targets_phony() -> None:
    """Every target that is not a file is in .PHONY, and .PHONY names no other."""
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split()
    targets = re.findall(r"^([a-z-]+):", text, re.MULTILINE)
    assert phony == targets


def test_makefile_runs_scripts_that_exist() -> None:
    """Every script that a target calls is there."""
    called = set(re.findall(r"scripts/\w+", (ROOT / "Makefile").read_text()))
    assert [name for name in sorted(called) if not (ROOT / name).exists()] == []


def test_image_contains_every_package_of_the_wheel() -> None:
    """The Dockerfile copies each package that the wheel is built from, and the licence files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {word for line in copied for word in line.split()[:-1]}
    assert {*packages, *project["project"]["license-files"]} <= sources


def test_pre_commit_runs_what_ci_runs() -> None:
    """The hooks are local and run the two scripts that `make test` runs, so that they cannot differ from CI."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    entries = {hook["entry"] for hook in repositories[0]["hooks"]}
    steps = re.findall(r"^\./(\w+)$", (ROOT / "scripts" / "check").read_text(), re.MULTILINE)
    assert entries == {f"scripts/{step}" for step in steps}


def test_public_packages_are_typed() -> None:
    """Type checkers read the annotations of the installed packages (PEP 561)."""
    assert [name for name in ("gateway", "llm_simulator") if not (ROOT / name / "py.typed").exists()] == []
