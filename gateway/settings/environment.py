"""What the environment variables say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address

from gateway.settings.settings import ProviderSettings, Secret
from gateway.settings.yaml_file import ConfigProblems
from gateway.transport import Proxies

VARIABLES = (
    "GATEWAY_HOST",
    "GATEWAY_PORT",
    "GATEWAY_WORKERS",
    "GATEWAY_CONFIG",
    "GATEWAY_DB",
    "GATEWAY_API_KEY",
    "GATEWAY_ADMIN_KEY",
)
SHORT = 16
PRINTABLE = re.compile(r"[!-~]+")


def value(environment: Mapping[str, str], name: str) -> str | None:
    """The variable without the space around it; None when it is absent or empty, as compose files leave it."""
    return environment.get(name, "").strip() or None


def number(
    environment: Mapping[str, str], name: str, *, least: int, most: int, config_problems: ConfigProblems
) -> int | None:
    text = value(environment, name)
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
        return int(text)
    config_problems.problems.append(f"{name}: {text!r} is not a number from {least} to {most}")
    return None


def client_keys(environment: Mapping[str, str], config_problems: ConfigProblems) -> tuple[Secret, ...]:
    """The keys in GATEWAY_API_KEY, between commas."""
    text = value(environment, "GATEWAY_API_KEY")
    if text is None:
        return ()
    keys = tuple(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
    if not keys:
        config_problems.problems.append("GATEWAY_API_KEY: it is set but there is no key between its commas")
    short = sum(len(key) < SHORT for key in keys)
    if short:
        config_problems.warnings.append(
            f"GATEWAY_API_KEY: {short} of {len(keys)} key(s) shorter than {SHORT} characters can be guessed"
        )
    return tuple(map(Secret, keys))


def admin_key(environment: Mapping[str, str], config_problems: ConfigProblems) -> Secret | None:
    key = value(environment, "GATEWAY_ADMIN_KEY")
    if key is not None and len(key) < SHORT:
        config_problems.warnings.append(f"GATEWAY_ADMIN_KEY: a key shorter than {SHORT} characters can be guessed")
    return Secret(key) if key is not None else None


def provider_keys(environment: Mapping[str, str], name: str, config_problems: ConfigProblems) -> tuple[Secret, ...]:
    """Keys between commas. Each will stand in a header, so it has to fit in one."""
    text = value(environment, name)
    if text is None:
        return ()
    keys = tuple(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
    if all(map(PRINTABLE.fullmatch, keys)):
        return tuple(map(Secret, keys))
    config_problems.problems.append(f"{name}: a key has a space, a line break or another character that no key has")
    return ()


def proxies(
    environment: Mapping[str, str], providers: Sequence[ProviderSettings], config_problems: ConfigProblems
) -> Proxies:
    """The proxies that `HTTPS_PROXY` and its like name; one that cannot be used is a problem where an upstream would need it."""
    found = Proxies.from_environment(environment)
    for provider in providers:
        proxy = found.of(provider.base_url)
        if proxy is not None and proxy.problem is not None:
            config_problems.problems.append(
                f"{proxy.variable}: {provider.name} would be reached through {proxy.problem}; give the URL of an HTTP proxy "
                "(http://host:port), or add the upstream's host to NO_PROXY"
            )
    return found


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Names are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that looks like one of ours and is none."""
    unknown = sorted(name for name in environment if name.startswith("GATEWAY_") and name not in VARIABLES)
    near = ((name, get_close_matches(name, VARIABLES, n=1, cutoff=0.8)) for name in unknown)
    return [f"{name}: there is no such setting; did you mean {close[0]}?" for name, close in near if close]
