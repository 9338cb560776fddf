"""Templates with escaped values, and the security headers of every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.api.dashboard.figures import usd

if TYPE_CHECKING:
    from jinja2 import Environment, Template

HERE = Path(__file__).resolve().parent
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def template(name: str) -> Template:
    return _templates().get_template(name)


def percent(share: float | None) -> str:
    """A share (1.0 is the whole) for people."""
    return "unknown" if share is None else f"{100 * share:.1f} %"


def number(count: float) -> str:
    return f"{count:,.0f}"


def seconds(duration: float | None) -> str:
    """Seconds for people: milliseconds below one second."""
    if duration is None:
        return "unknown"
    if duration < 0.001:
        return "< 1 ms"
    return f"{1000 * duration:.0f} ms" if duration < 1 else f"{duration:.1f} s"


def tags(labels: Mapping[str, str] | None) -> str:
    """A request's own labels for people."""
    return ", ".join(f"{name}: {value}" for name, value in labels.items()) if isinstance(labels, dict) else ""


def when(timestamp: str | datetime | None, zone: tzinfo = UTC) -> str:
    """A time of the ledger in the page's time zone; text that is no time is shown as it is."""
    if timestamp is None:
        return ""
    try:
        at = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else timestamp
    except ValueError:
        return str(timestamp)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


@cache
def _templates() -> Environment:
    from jinja2 import (  # importing it takes a tenth of the start-up time
        Environment,
        FileSystemLoader,
        StrictUndefined,
        select_autoescape,
    )

    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "usd": usd,
        "percent": percent,
        "number": number,
        "seconds": seconds,
        "when": when,
        "tags": tags,
    }
    return templates
