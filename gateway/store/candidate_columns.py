"""How a row keeps the candidates of its decision: as columns, which take a third of the bytes of one JSON object per model.

Rows that tools or earlier versions wrote hold a JSON list of objects; both forms are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from gateway.records import CandidateColumns

# The members of a candidate, in this order.
_MEMBERS = ("provider", "model", "tier", "quality", "spread", "cost", "outcomes", "propensity", "cooling")
_members_of = itemgetter(*_MEMBERS)
_SPARSE = ("outcomes", "propensity", "cooling")  # zero or False for most candidates


def to_columns(candidates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
    """The columns of the candidates; the candidates themselves where one of them has other members."""
    columns = candidates.columns() if isinstance(candidates, CandidateColumns) else _transposed(candidates)
    if columns is None:
        return list(candidates)
    for name in _SPARSE:
        columns[name] = {str(place): value for place, value in enumerate(columns[name]) if value}
    return columns


def _transposed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """None where a row has other members: a replaced strategy's candidates may be anything."""
    try:
        figures = [_members_of(row) for row in rows if len(row) == len(_MEMBERS)]
    except (LookupError, TypeError):
        return None
    if not rows or len(figures) != len(rows):
        return None
    return dict(zip(_MEMBERS, zip(*figures, strict=True), strict=True))


def from_columns(stored: Any) -> Any:
    """The candidates as a list of objects; anything that is not columns is returned unchanged."""
    if not isinstance(stored, Mapping) or tuple(stored) != _MEMBERS:
        return stored
    count = len(stored["model"])
    columns = {
        name: [values.get(str(place), 0) for place in range(count)] if name in _SPARSE else values
        for name, values in stored.items()
    }
    columns["cooling"] = list(map(bool, columns["cooling"]))
    return [dict(zip(_MEMBERS, row, strict=True)) for row in zip(*columns.values(), strict=True)]
