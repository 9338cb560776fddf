"""Rows of providers.yaml and the environment -> the upstreams that are enabled."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from urllib.parse import urlsplit

import yaml

from gateway.catalog.packaged import SafeLoader, packaged_file
from gateway.settings.environment import is_loopback, provider_keys, value
from gateway.settings.schema import ProviderRow, ProvidersFile, set_values
from gateway.settings.settings import ProviderSettings
from gateway.settings.yaml_file import ConfigProblems, YamlFile, YamlPath

KINDS = ("gemini", "claude", "openrouter", "openai")
RESERVED = ("auto", "anthropic")
# What the dialects and the HTTP client set themselves.
OWN_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "host", "content-type", "content-length"})


def enabled_providers(
    file: ProvidersFile,
    document: YamlFile,
    environment: Mapping[str, str],
    config_problems: ConfigProblems,
) -> tuple[ProviderSettings, ...]:
    """The providers that have the key they need, in the file's order."""
    config_problems.problems += [document.problem(place, sentence) for place, sentence in _row_problems(file.providers)]
    defaults = default_base_urls()
    enabled = []
    for index, row in enumerate(file.providers):
        keys = provider_keys(environment, row.api_key_env, config_problems) if row.api_key_env else ()
        override = value(environment, row.base_url_env) if row.base_url_env else None
        origin = row.base_url_env if override else document.at(("providers", index, "base_url"))
        base_url = (override or row.base_url).rstrip("/")
        problem = base_url_problem(base_url)
        if problem:
            config_problems.problems.append(f"{origin}: base URL of {row.name}: {problem}")
        elif row.api_key_env is None or keys:
            if base_url.startswith("http://") and not is_loopback(urlsplit(base_url).hostname or ""):
                config_problems.warnings.append(f"{origin}: {row.name} is called without encryption: {base_url}")
            moved = base_url != defaults.get(row.name)
            enabled.append(
                ProviderSettings(
                    row.name,
                    row.kind,
                    base_url,
                    keys,
                    headers=row.headers or {},
                    custom_url=moved,
                    timeouts=set_values(row.timeouts),
                    trace_context=row.trace_context or "client",
                )
            )
    return tuple(enabled)


def _row_problems(rows: list[ProviderRow]) -> list[tuple[YamlPath, str]]:
    found: list[tuple[YamlPath, str]] = []
    names = [row.name for row in rows]
    for index, row in enumerate(rows):
        if row.name in names[:index]:
            found.append((("providers", index, "name"), f"there is another provider {row.name!r} above"))
        if row.name in RESERVED:
            found.append((("providers", index, "name"), f"{row.name!r} already means something in model names"))
        if row.kind not in KINDS and row.kind not in entry_points(group="gateway.providers").names:
            sentence = f"no such kind: {row.kind!r} (there are {', '.join(KINDS)})"
            found.append((("providers", index, "kind"), sentence))
        found += [
            (("providers", index, "headers", name), "the gateway sets this header itself")
            for name in row.headers or {}
            if name.lower() in OWN_HEADERS
        ]
    return found


def base_url_problem(url: str) -> str | None:
    """Why `url` cannot be a base URL; None if it can."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return "it has a space or another character that no URL has"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"{url!r} is not of the form https://host[:port][/path]"
    if parts.username is not None or parts.password is not None:
        return "it has a user or password in it; keys belong in their own variables"
    if parts.query or parts.fragment:
        return "it ends in a query or fragment, after which no path can be added"
    return None


def default_base_urls() -> dict[str, str]:
    """The base URLs of the packaged providers, by name."""
    document = yaml.load(packaged_file("providers.yaml").read_bytes(), Loader=SafeLoader)  # noqa: S506  # is a SafeLoader
    return {row["name"]: row["base_url"] for row in document["providers"]}
