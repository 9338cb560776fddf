"""Environment variables, files that hold a secret, and `.env`, which is read by dotenv's rules: as data, never as a shell script."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path

from gateway.errors import ConfigError
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
# With this suffix the variable of a secret names a file, as Docker and Kubernetes hand them over. Keys of providers have one too.
FILE = "_FILE"
FILE_VARIABLES = tuple(name + FILE for name in ("GATEWAY_DB", "GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY"))
MAX_FILE = 65_536  # bytes of a file with a secret
SHORT = 16
DOTENV = Path(".env")
PRINTABLE = re.compile(r"[!-~]+")


def value(environment: Mapping[str, str], name: str) -> str | None:
    """The variable without the space around it; None when it is absent or empty, as compose files leave it."""
    return environment.get(name, "").strip() or None


def origin(environment: Mapping[str, str], name: str) -> str:
    """The variable that sets the secret `name`: itself or its `_FILE`."""
    return name + FILE if value(environment, name + FILE) else name


def secret(environment: Mapping[str, str], name: str, config_problems: ConfigProblems) -> str | None:
    """The variable, or what is in the file that `NAME_FILE` names, without the space around it.

    Both, or a file that cannot be read or is empty, is a problem. The file is read again at each reload.
    """
    text, path = value(environment, name), value(environment, name + FILE)
    if path is None:
        return text
    if text is not None:
        config_problems.problems.append(f"{name} and {name}{FILE}: both are set; unset one of them")
        return None
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            problem = f"has more than {MAX_FILE} bytes, which no key has"
        elif found := content.decode().strip():
            return found
        else:
            problem = f"is empty: write the secret into it, or unset {name}{FILE}"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problem = f"cannot be read: {reason}"
    config_problems.problems.append(f"{name}{FILE}: the file {path} {problem}")
    return None


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
    """The keys in GATEWAY_API_KEY or its file, separated by commas."""
    text, name = secret(environment, "GATEWAY_API_KEY", config_problems), origin(environment, "GATEWAY_API_KEY")
    if text is None:
        return ()
    keys = tuple(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
    if not keys:
        config_problems.problems.append(f"{name}: it is set but there is no key between its commas")
    short = sum(len(key) < SHORT for key in keys)
    if short:
        config_problems.warnings.append(
            f"{name}: {short} of {len(keys)} key(s) shorter than {SHORT} characters can be guessed"
        )
    return tuple(map(Secret, keys))


def admin_key(environment: Mapping[str, str], config_problems: ConfigProblems) -> Secret | None:
    key = secret(environment, "GATEWAY_ADMIN_KEY", config_problems)
    if key is not None and len(key) < SHORT:
        name = origin(environment, "GATEWAY_ADMIN_KEY")
        config_problems.warnings.append(f"{name}: a key shorter than {SHORT} characters can be guessed")
    return Secret(key) if key is not None else None


def provider_keys(environment: Mapping[str, str], name: str, config_problems: ConfigProblems) -> tuple[Secret, ...]:
    """Keys separated by commas. Each must be a valid header value."""
    text = secret(environment, name, config_problems)
    if text is None:
        return ()
    keys = tuple(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
    if all(map(PRINTABLE.fullmatch, keys)):
        return tuple(map(Secret, keys))
    name = origin(environment, name)
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
    """A warning for each variable that looks like a misspelt setting."""
    known = VARIABLES + FILE_VARIABLES
    unknown = sorted(name for name in environment if name.startswith("GATEWAY_") and name not in known)
    near = ((name, get_close_matches(name, known, n=1, cutoff=0.8)) for name in unknown)
    return [f"{name}: there is no such setting; did you mean {close[0]}?" for name, close in near if close]


def read_dotenv(path: Path) -> Mapping[str, str]:
    """The variables that the file sets; none without a file. Raises ConfigError with every line that is no assignment.

    The sentences name lines but never quote them: the lines hold keys.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from None
    from dotenv import dotenv_values  # most starts have no such file
    from dotenv.parser import parse_stream

    wrong = [binding.original for binding in parse_stream(io.StringIO(text)) if binding.error]
    if wrong:
        lines = [binding.line + _leading_lines(binding.string) for binding in wrong]
        raise ConfigError([f"{path}:{line}: this line is not of the form NAME=value" for line in lines])
    variables = dotenv_values(stream=io.StringIO(text))
    return {name: text for name, text in variables.items() if text is not None}


def add_dotenv(environment: MutableMapping[str, str], path: Path = DOTENV) -> None:
    """Set the variables of the file that the environment does not have. A variable that is set, even to nothing, wins."""
    for name, text in read_dotenv(path).items():
        environment.setdefault(name, text)


def _leading_lines(text: str) -> int:
    """How many empty lines the parser counts as part of a statement, before it."""
    return text[: len(text) - len(text.lstrip())].count("\n")
