"""Public strengths of models: how good independent measurements say a model is, before it has any outcomes here.

A strength is in standard deviations over the catalogue's median model. `scripts/strengths` makes the packaged file, strengths.json.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import orjson

# A strength is a guess about a quality of 0.8. Where both could be checked it missed a model's mean quality by 0.07.
_VARIANCE = 0.8 * (1.0 - 0.8)
_MISS = 0.07
# Quality per standard deviation of strength there: the slope of the logit, 0.6, times the slope of the logistic curve.
SLOPE = 0.6
_QUALITY_PER_SD = SLOPE * _VARIANCE
# The error of a strength of which none is given: that of two independent sources.
DEFAULT_ERROR = 0.25
STALE_DAYS = 180
# The largest strength or error, in standard deviations; a larger one is a mistake.
LIMIT = 10.0


def worth(error: float) -> float:
    """How many outcomes a strength with this error (standard deviations) is worth: 29 at 0.25, 17 at 0.7."""
    return _VARIANCE / (_MISS**2 + (_QUALITY_PER_SD * error) ** 2)


def half_as_sure(error: float) -> float:
    """The error at which a strength is worth half of what it is at `error`."""
    return math.sqrt((_MISS / _QUALITY_PER_SD) ** 2 + 2.0 * error**2)


class Strength(NamedTuple):
    """In standard deviations over the catalogue's median model, with its standard error. `source` says where it comes from."""

    value: float
    error: float = DEFAULT_ERROR
    source: str = "the configuration"


@dataclass(frozen=True, slots=True)
class StrengthTable:
    """The contents of strengths.json: the strengths by full name, and the full names without one with the reason. `dated` is its day."""

    strengths: Mapping[str, Strength]
    unknown: Mapping[str, str]
    dated: date

    @classmethod
    def loads(cls, body: bytes, *, today: date) -> StrengthTable:
        """A figure read more than 180 days before `today` counts half. Raises ValueError for what is no such file."""
        try:
            document = orjson.loads(body)
            rows: Mapping[str, Mapping[str, Any]] = document["models"]
            return cls(
                {name: _strength(name, row, today) for name, row in rows.items() if row["strength"] is not None},
                {name: row["reason"] for name, row in rows.items() if row["strength"] is None},
                date.fromisoformat(document["version"]),
            )
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not a file of strengths: {error}") from error


def _strength(name: str, row: Mapping[str, Any], today: date) -> Strength:
    value, error, read = row["strength"], row["error"], date.fromisoformat(row["read"])
    check(name, value, error)
    stale = (today - read).days > STALE_DAYS
    return Strength(value, half_as_sure(error) if stale else error, f"{', '.join(row['sources'])}, {read:%Y-%m}")


def check(name: str, strength: float | None, error: float | None) -> None:
    """Raises ValueError for a strength beyond ±10, an error that is not from above 0 to 10, and for what is no number."""
    if strength is not None and not -LIMIT <= strength <= LIMIT:
        raise ValueError(f"the strength of {name} must be from -10 to 10 standard deviations, not {strength!r}")
    if error is not None and not 0.0 < error <= LIMIT:
        raise ValueError(f"the error of the strength of {name} must be above 0 and at most 10, not {error!r}")
