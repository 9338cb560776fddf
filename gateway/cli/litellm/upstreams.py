"""The rows of providers.yaml that deployments need: one for each upstream, under a name of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from gateway.cli.litellm.vendors import NAMES, VENDORS, VendorEndpoint

# Values that stand in configurations where a server needs no key.
NO_KEY = frozenset({"", "none", "null", "empty", "dummy", "fake", "no-key", "not-needed", "anything", "any"})
# The base URL of a row whose real one is in a variable. `.invalid` never resolves (RFC 2606).
UNSET = "https://set-{}.invalid/v1"
_TAKEN = ("auto", "anthropic")
_OWN = ("gemini", "anthropic", "openrouter")  # the prefixes of the first rows


@dataclass(slots=True)
class UpstreamRow:
    """A row under construction. `key_variables` are all variables that hold keys of it; the first becomes `api_key_env`.

    `used` is whether a deployment needs it.
    """

    name: str
    kind: str
    base_url: str
    base_url_env: str | None = None
    key_variables: list[str] = field(default_factory=list)
    timeouts: dict[str, float] = field(default_factory=dict)
    used: bool = False

    def as_row(self) -> dict[str, Any]:
        """The row as providers.yaml has it."""
        row: dict[str, Any] = {"name": self.name, "kind": self.kind, "base_url": self.base_url}
        if self.base_url_env:
            row["base_url_env"] = self.base_url_env
        if self.key_variables:
            row["api_key_env"] = self.key_variables[0]
        return {**row, "timeouts": self.timeouts} if self.timeouts else row


class UpstreamRows:
    """The rows in order. The three vendors that `auto` knows are always there: without their keys they are not used."""

    def __init__(self) -> None:
        self._rows = [
            UpstreamRow("gemini", "gemini", _default("gemini"), "GEMINI_BASE_URL"),
            UpstreamRow("claude", "claude", _default("anthropic"), "ANTHROPIC_BASE_URL"),
            UpstreamRow("openrouter", "openrouter", _default("openrouter"), "OPENROUTER_BASE_URL"),
        ]

    def __iter__(self) -> Iterator[UpstreamRow]:
        return iter(self._rows)

    def row(self, prefix: str, base: str | None, *, key_variable: str | None, wish: str | None = None) -> UpstreamRow:
        """The row for a LiteLLM prefix and an `api_base` (None: the vendor's own), made where there is none.

        `base` is a URL, or `os.environ/NAME`. A new row is called `wish` where that is free.
        """
        vendor = VENDORS[prefix]
        url, variable = _address(prefix, vendor, base)
        for row in self._rows:
            same_address = (row.base_url, row.base_url_env) == (url, variable) if variable else row.base_url == url
            if row.kind == vendor.kind and same_address and (key_variable or not row.key_variables):
                break
        else:
            row = self._new(prefix, vendor, url, variable=variable, wish=wish)
        row.used = True
        if key_variable and key_variable not in row.key_variables:
            row.key_variables.append(key_variable)
        return row

    def _new(
        self, prefix: str, vendor: VendorEndpoint, url: str, *, variable: str | None, wish: str | None
    ) -> UpstreamRow:
        """A further row, or the vendor's own where nothing uses that one yet."""
        own = next((row for row in self._rows[: len(_OWN)] if row.kind == vendor.kind), None)
        if own is not None and not own.used:
            own.base_url, own.base_url_env = url, variable or own.base_url_env
            return own
        row = UpstreamRow(self._free_name(wish or _name(prefix, vendor, url)), vendor.kind, url, variable)
        self._rows.append(row)
        return row

    def finished(self) -> list[UpstreamRow]:
        """All rows; a vendor that no deployment used has its usual variable."""
        for row, prefix in zip(self._rows, _OWN, strict=False):
            if not row.key_variables:
                row.key_variables.append(VENDORS[prefix].key_variable or "")
        return self._rows

    def _free_name(self, wanted: str) -> str:
        taken = {*_TAKEN, *(row.name for row in self._rows)}
        return next(
            name for n in range(1, len(taken) + 2) if (name := wanted if n == 1 else f"{wanted}-{n}") not in taken
        )


def _default(prefix: str) -> str:
    return VENDORS[prefix].base_url or ""


def _address(prefix: str, vendor: VendorEndpoint, base: str | None) -> tuple[str, str | None]:
    """The base URL, and the variable that names another one."""
    if base is None:
        return vendor.base_url or "", None
    if variable := variable_of(base):
        return vendor.base_url or UNSET.format(variable.replace("_", "-").lower()), variable
    url = base.rstrip("/")
    if vendor.kind == "claude":
        url = url.removesuffix("/messages").removesuffix("/v1")
    elif vendor.kind == "gemini":
        url = url.removesuffix("/v1beta")
    elif prefix.startswith("ollama") and not url.endswith("/v1"):
        url = f"{url}/v1"
    return url, None


def variable_of(value: object) -> str | None:
    """NAME of `os.environ/NAME`, LiteLLM's reference to a variable; None for anything else."""
    name = value.removeprefix("os.environ/") if isinstance(value, str) and value.startswith("os.environ/") else ""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else None


def _name(prefix: str, vendor: VendorEndpoint, url: str) -> str:
    """The prefix where the address is the vendor's own or that of no named host, else the first part of the host's name."""
    name = NAMES.get(prefix, prefix)
    label = (urlsplit(url).hostname or "").partition(".")[0]
    named = label not in ("", "api", "www", "localhost", "host") and re.fullmatch(r"[a-z][a-z0-9-]*", label)
    return name if url == vendor.base_url or not named or url.endswith(".invalid/v1") else label
