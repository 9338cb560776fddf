"""A LiteLLM `config.yaml` -> gateway.yaml, providers.yaml and the names of variables, with a report of every entry.

The format is that of docs.litellm.ai/docs/proxy/configs, as of October 2026. No value of a key is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import yaml

from gateway.catalog import PriceTable
from gateway.cli.litellm.deployments import DeploymentReader
from gateway.cli.litellm.report import ReportEntry
from gateway.cli.litellm.sections import SECTIONS, SectionReader
from gateway.cli.litellm.upstreams import UpstreamRow
from gateway.settings.yaml_file import YamlFile

_HEADER = "# Written by `gateway import litellm`; docs/configuration.md describes every key.\n"
_OTHERS: Mapping[str, str] = {
    "include": "included files are not read: import a file that has everything",
    "callback_settings": "there are no callbacks",
    "guardrails": "there are no guardrails",
    "mcp_servers": "there is no MCP gateway; clients call MCP servers themselves",
    "mcp_tools": "there is no MCP gateway; clients call MCP servers themselves",
    "vector_store_registry": "there are no vector stores",
    "finetune_settings": "there is no fine-tuning API",
    "files_settings": "there is no files API",
    "search_tools": "there are no search tools",
}


@dataclass(frozen=True, slots=True)
class ImportedConfig:
    """The text of each new file by its name, and what became of each entry. `variables` are those to set."""

    files: Mapping[str, str]
    variables: tuple[str, ...]
    entries: tuple[ReportEntry, ...]


def imported(document: YamlFile, *, prices: PriceTable, now: datetime) -> ImportedConfig:
    """The new configuration of a LiteLLM one."""
    data = document.data
    deployments = DeploymentReader(prices, now=now, credentials=dict(_credentials(data.get("credential_list"))))
    listed = data.get("model_list")
    entries: list[ReportEntry] = []
    for index, deployment in enumerate(listed if isinstance(listed, list) else []):
        entries += deployments.read(deployment, f"{document.at(('model_list', index))}: model_list[{index}]")
    sections = SectionReader(deployments.aliases, deployments.served)
    for name in SECTIONS:
        section = data.get(name)
        if isinstance(section, Mapping):
            entries += sections.read(section, partial(_place, document, name))
    entries += _others(document)
    upstreams = deployments.upstreams.finished()
    settings: dict[str, Any] = {
        **({"aliases": deployments.aliases} if deployments.aliases else {}),
        **sections.settings,
    }
    notes = {**_variables(upstreams), **sections.variables}
    files = {
        "gateway.yaml": _HEADER + (_yaml(settings) if settings else ""),
        "providers.yaml": _HEADER + _yaml({"providers": [row.as_row() for row in upstreams]}),
        ".env.example": _environment(notes),
    }
    needed = _variables([row for row in upstreams if row.used]) | sections.variables
    return ImportedConfig(files, tuple(needed), tuple(entries))


def _place(document: YamlFile, section: str, key: str) -> str:
    return f"{document.at((section, key))}: {section}.{key}"


def _credentials(listed: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parameters of `credential_list` by name."""
    for row in listed if isinstance(listed, list) else []:
        if isinstance(row, Mapping) and isinstance(row.get("credential_values"), Mapping):
            yield str(row.get("credential_name")), row["credential_values"]


def _others(document: YamlFile) -> Iterator[ReportEntry]:
    """What became of the other top-level keys."""
    for key, value in document.data.items():
        name = str(key)
        if name in ("model_list", "credential_list", *SECTIONS):
            continue
        place = f"{document.at((name,))}: {name}"
        if name == "environment_variables" and isinstance(value, Mapping):
            names = ", ".join(map(str, value)) or "none"
            yield ReportEntry(
                place, "changed", f"set them in the environment or in .env, the values are not copied: {names}"
            )
        else:
            yield ReportEntry(place, "not supported", _OTHERS.get(name, "the gateway has no such section"))


def _variables(upstreams: list[UpstreamRow]) -> dict[str, str]:
    """The variables that the upstreams read, each with what belongs in it."""
    notes: dict[str, str] = {}
    for row in upstreams:
        if row.base_url_env and row.base_url.endswith(".invalid/v1"):
            notes[row.base_url_env] = f"the base URL of {row.name}"
        if row.key_variables:
            first, *others = row.key_variables
            more = f"; add those of {', '.join(others)}, separated by commas" if others else ""
            notes[first] = f"the key of {row.name}{more}" if row.used else f"optional: a key of {row.name}, for `auto`"
    return notes


def _environment(notes: Mapping[str, str]) -> str:
    lines = [f"# {note}\n# {name}=\n" for name, note in notes.items()]
    port = "# LiteLLM's port, so that clients keep their base URL\n# GATEWAY_PORT=4000\n"
    return "# The variables of this configuration: copy the file to .env and set them.\n\n" + "\n".join([*lines, port])


def _yaml(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
