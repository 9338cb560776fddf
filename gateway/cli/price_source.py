"""Fetches the public price list, from its address, another one, or a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx2

from gateway.settings.environment import is_loopback

# Where `genai-prices` publishes its list, and its own updates come from (`DEFAULT_UPDATE_URL`).
ADDRESS = "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json"
MAX_BYTES = 16_000_000  # the list has 0.6 MB
TIMEOUT = httpx2.Timeout(10.0)  # seconds, of each step
SECONDS = 60.0  # of the whole download


def price_list(source: str, *, clock: Callable[[], float] = time.monotonic) -> bytes:
    """The bytes of the list at a URL or path. Ends the command with the reason where there is none, or it is too large or slow."""
    if "://" not in source:
        return _file(Path(source))
    parts = urlsplit(source)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise click.UsageError("--from must be an https URL, or the path of a file.")
    began = clock()
    body = bytearray()
    try:
        with httpx2.stream("GET", source, timeout=TIMEOUT) as response:
            if response.status_code != 200:
                raise click.ClickException(f"{source} answers with status {response.status_code}. Nothing was changed.")
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_BYTES or clock() - began > SECONDS:
                    raise click.ClickException(
                        f"{source} sends more than {MAX_BYTES // 1_000_000} MB, or takes longer than {SECONDS:.0f} s. Nothing was changed."
                    )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise click.ClickException(
            f"{source} cannot be reached: {error}. Nothing was changed. A file with the list can be named with --from."
        ) from None
    return bytes(body)


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from None
    if len(body) > MAX_BYTES:
        raise click.ClickException(f"{path} has more than {MAX_BYTES // 1_000_000} MB.")
    return body
