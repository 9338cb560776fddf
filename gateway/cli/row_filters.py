"""The filters of commands that list the ledger's rows: those of `GET /v1/routing/requests`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from gateway.api.reports import FILTERS, TAG
from gateway.cli.period import PointInTime


def row_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Adds an option for each filter; `chosen_filters` takes their values."""
    options = [
        click.option("--since", type=PointInTime(), help="The first request: 24h, 7d, a date, or a time."),
        click.option("--until", type=PointInTime(), help="The end, not included."),
        *(click.option(f"--{name}", help=f"Only rows with this {column}.") for name, column in FILTERS.items()),
        click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Only rows with this tag."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def chosen_filters(given: Mapping[str, Any]) -> dict[str, object]:
    """The filters of the store, of the options that were given. Raises UsageError for a tag without a name or value."""
    filters: dict[str, object] = {column: given[name] for name, column in FILTERS.items() if given[name] is not None}
    filters |= {name: given[name] for name in ("since", "until") if given[name] is not None}
    for text in given["tags"]:
        name, _, value = text.partition("=")
        if not (name and value):
            raise click.UsageError(f"--tag {text!r} is no tag; write NAME=VALUE.")
        filters[TAG + name] = value
    return filters
