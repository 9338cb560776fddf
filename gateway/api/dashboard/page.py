"""`GET /`: what was spent, what the baseline would have cost, and why each request went where it did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from gateway.api.admin_sessions import form_token
from gateway.api.auth import Principal
from gateway.api.dashboard.figures import HEIGHT, WIDTH, cost_bars, shares, strong_model_shares, usd
from gateway.api.dashboard.rendering import HERE, SECURITY_HEADERS, template
from gateway.api.reports import days_of
from gateway.errors import NotFound
from gateway.store import Store

if TYPE_CHECKING:
    from jinja2 import Template

STATIC = {"dashboard.css": "text/css"}
SHOWN_REQUESTS = 50
KEY_SHARE_ROWS = 5000  # newest rows that the keys' shares are computed from


class Dashboard:
    """One page, rendered from the ledger; every value is escaped."""

    def __init__(self, store: Store, *, demo: bool, strong: Callable[[str, str], bool]) -> None:
        """`strong` is true for a provider's model that is among the strongest."""
        self._store = store
        self._demo = demo
        self._strong = strong

    @cached_property
    def _page(self) -> Template:
        return template("dashboard.html")

    async def page(self, request: Request) -> Response:
        days = days_of(request)
        principal: Principal = request.scope["principal"]
        html = await asyncio.to_thread(self._render, days, principal.session)
        return HTMLResponse(html, headers=SECURITY_HEADERS)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise NotFound(f"There is no file {name!r} here.")
        return FileResponse(HERE / "static" / name, media_type=STATIC[name], headers=SECURITY_HEADERS)

    def _render(self, days: float, session: str | None) -> str:
        summary = self._store.summary(days=days)
        requests = self._store.requests(limit=SHOWN_REQUESTS)
        return self._page.render(
            days=days,
            demo=self._demo,
            form_token=None if session is None else form_token(session),
            summary=summary,
            bars=cost_bars(self._store.timeline(days=days)),
            width=WIDTH,
            height=HEIGHT,
            models=shares(
                {_model(row): (int(row["total_requests"]), usd(row["total_cost"])) for row in summary["by_model"]}
            ),
            patterns=shares(_patterns(self._store.patterns(days=days))),
            keys=strong_model_shares(self._store.strong_share_by_key(newest=KEY_SHARE_ROWS), strong=self._strong),
            requests=requests,
            unanswered=unanswered(requests),
        )


def unanswered(requests: Sequence[Mapping[str, Any]]) -> int:
    """How many of the newest requests had no candidate that was up, until the newest one that was answered. `requests` is newest first."""
    count = 0
    for row in requests:
        if row["status"] == "ok":
            break
        count += row["error_code"] == "no_candidate"
    return count


def _model(row: dict[str, Any]) -> str:
    return f"{row['provider']}/{row['model']}"


def _patterns(rows: list[dict[str, Any]]) -> dict[str, tuple[int, str]]:
    """The rows, which are by model and pattern, summed by pattern."""
    patterns: dict[str, tuple[int, str]] = {}
    for row in rows:
        name = row["pattern"] or "none"
        count, note = patterns.get(name, (0, ""))
        patterns[name] = (count + row["count"], f"{note}, {row['model']}" if note else str(row["model"]))
    return patterns
