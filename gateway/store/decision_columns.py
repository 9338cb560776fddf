"""Recorded decisions as arrays, for computations over a whole ledger: one row per decision, one column per model.

The candidates of twenty thousand rows a second have to be read, so each row is checked with few calls and the arrays are filled
once per page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray

from gateway.catalog import ModelKey
from gateway.store.candidate_columns import to_columns
from gateway.store.decisions import COLUMNS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

PINNED = "pinned"
GROUPS = 512  # conversations are put into this many groups, by a hash of their id
_NUMBERS = frozenset({int, float})
_SUM_TOLERANCE = 0.01
_NANO = 1e-9


@dataclass(frozen=True, slots=True)
class DecisionColumns:
    """One page of decisions. The matrices have a row per decision and a column per model of `models`.

    `cost` (USD) is NaN where the model was no candidate. `quality` is 0 to 1, `outcomes` counts outcomes of similar prompts,
    `propensity` is the recorded probability of each choice. `chosen` is the column of the recorded choice, `favourite` that of
    the most probable one; they differ where the router explored. `group` is the conversation's group, 0 to `GROUPS` - 1.
    `actual_cost` and `baseline_cost` are USD; `baseline_cost` and `label` (0 to 1) are NaN where unknown. `baseline` is the
    baseline's column, -1 where it has none. `kept`: the turn stayed with the conversation's model, and leaving it would have
    cost `penalty` USD.
    """

    models: tuple[ModelKey, ...]
    quality: Floats
    cost: Floats
    propensity: Floats
    outcomes: Floats
    cooling: Flags
    chosen: Integers
    favourite: Integers
    complexity: Floats
    by_complexity: Flags
    requested: Sequence[str | None]
    conversations: Sequence[str | None]
    group: Integers
    kept: Flags
    penalty: Floats
    actual_cost: Floats
    baseline_cost: Floats
    baseline: Integers
    label: Floats
    prompt_tokens: Floats
    completion_tokens: Floats

    def __len__(self) -> int:
        return len(self.requested)

    @property
    def rows(self) -> Integers:
        """The numbers of the rows, to pick one column in each: `page.cost[page.rows, page.chosen]`."""
        return np.arange(len(self))


class RecordedPolicy(Protocol):
    """A strategy that decides on recorded candidates."""

    def favourites(self, page: DecisionColumns) -> Integers:
        """The column of the model that each decision would have, without exploration; -1 where no candidate is left."""


@dataclass(slots=True)
class _Cells:
    """Values of a sparse matrix."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, row: int, places: Mapping[str, float], columns: Sequence[int]) -> None:
        for place, value in places.items():
            self.rows.append(row)
            self.columns.append(columns[int(place)])
            self.values.append(value)

    def matrix(self, shape: tuple[int, int]) -> Floats:
        matrix = np.zeros(shape)
        matrix[self.rows, self.columns] = self.values
        return matrix


class DecisionReader:
    """Reads pages of rows. The columns of the models stay the same from page to page; later pages may have more."""

    def __init__(self) -> None:
        self._index: dict[tuple[str, str], int] = {}

    def read(self, rows: Sequence[tuple[Any, ...]], labels: Mapping[str, float]) -> DecisionColumns:
        """The decisions among `rows` (values of `decisions.COLUMNS`) that can be replayed; `labels` are qualities by request id.

        Left out are rows without recorded candidates, probability or cost, and requests that named their model. A client's
        own feedback is preferred to a label.
        """
        index = self._index
        kept_rows: list[tuple[Any, ...]] = []
        lengths: list[int] = []
        columns: list[int] = []
        quality: list[float] = []
        cost: list[float] = []
        chosen: list[int] = []
        propensity, outcomes, cooling = _Cells(), _Cells(), _Cells()
        for row in rows:
            candidates = _candidates(row)
            if candidates is None:
                continue
            number = len(kept_rows)
            keys = zip(candidates["provider"], candidates["model"], strict=True)
            places = [index.setdefault(key, len(index)) for key in keys]
            kept_rows.append(row)
            lengths.append(len(places))
            columns += places
            quality += candidates["quality"]
            cost += candidates["cost"]
            chosen.append(places[0])
            propensity.add(number, _propensities(row, candidates, index=index, columns=places), places)
            outcomes.add(number, candidates["outcomes"], places)
            if candidates["cooling"]:
                cooling.add(number, candidates["cooling"], places)
        shape = (len(kept_rows), len(index))
        cells = (np.repeat(np.arange(shape[0]), lengths), np.array(columns, dtype=np.int64))
        costs = np.full(shape, np.nan)
        costs[cells] = cost
        qualities = np.zeros(shape)
        qualities[cells] = quality
        by_name: dict[str, Sequence[Any]] = (
            dict(zip(COLUMNS, zip(*kept_rows, strict=True), strict=True)) if kept_rows else {}
        )
        probabilities = propensity.matrix(shape)
        return DecisionColumns(
            models=tuple(ModelKey(*key) for key in index),
            quality=qualities,
            cost=costs,
            propensity=probabilities,
            outcomes=outcomes.matrix(shape),
            cooling=cooling.matrix(shape) > 0,
            chosen=np.array(chosen, dtype=np.int64),
            favourite=probabilities.argmax(axis=1) if index else np.zeros(0, dtype=np.int64),
            **_facts(by_name, index=index, labels=labels),
        )


def _candidates(row: tuple[Any, ...]) -> Mapping[str, Any] | None:
    """The candidates as columns; None for a row that cannot be replayed, for example one that another tool wrote."""
    strategy, complexity, propensity, text, actual = row[3], row[5], row[6], row[7], row[8]
    if strategy == PINNED or not propensity or complexity is None or actual is None or not text:
        return None
    try:
        stored = orjson.loads(text)
        if isinstance(stored, list):  # rows of earlier versions
            stored = to_columns(stored)
        quality, cost = stored["quality"], stored["cost"]
        sound = (
            _NUMBERS.issuperset(map(type, quality))
            and _NUMBERS.issuperset(map(type, cost))
            and min(cost) >= 0.0
            and len(quality) == len(cost) == len(stored["model"]) == len(stored["provider"])
            and abs(sum(stored["propensity"].values()) - 1.0) <= _SUM_TOLERANCE
            and 0.0 < propensity <= 1.0
            and all(0.0 <= value <= 1.0 for value in quality)
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return stored if sound else None


def _propensities(
    row: tuple[Any, ...], candidates: Mapping[str, Any], *, index: dict[tuple[str, str], int], columns: Sequence[int]
) -> Mapping[str, float]:
    """The candidates' probabilities by place. The row's own is exact; they lack the draw that may hold a conversation back.

    A row that could have been held back has a lower probability than its candidate; the difference is the baseline's.
    """
    places: dict[str, float] = candidates["propensity"]
    recorded, holdback = row[6], row[15]
    own = places.get("0", 0.0)
    if holdback == 0 and 0.0 < recorded < own:
        share = recorded / own
        places = {place: share * value for place, value in places.items()}
        baseline = index.get((row[10], row[11]))
        if baseline in columns:
            place = str(columns.index(baseline))
            places[place] = places.get(place, 0.0) + 1.0 - share
        return places
    return places if own == recorded else {**places, "0": recorded}


def _facts(
    by_name: Mapping[str, Sequence[Any]], *, index: Mapping[tuple[str, str], int], labels: Mapping[str, float]
) -> dict[str, Any]:
    """The members of a page that have one value per decision."""
    sessions, ids = by_name.get("session_id", ()), by_name.get("request_id", ())
    scores = zip(ids, by_name.get("feedback_score", ()), strict=True)
    baselines = zip(by_name.get("baseline_provider", ()), by_name.get("baseline_model", ()), strict=True)
    return {
        "complexity": _floats(by_name.get("complexity_score", ())),
        "by_complexity": np.array([each == "complexity" for each in by_name.get("strategy_used", ())], dtype=np.bool_),
        "requested": by_name.get("requested_model", ()),
        "conversations": sessions,
        "group": np.array(
            # A subagent's conversation depends on that of its agent: its id is `session/agent`.
            [
                crc32((session or each).partition("/")[0].encode()) % GROUPS
                for session, each in zip(sessions, ids, strict=True)
            ],
            dtype=np.int64,
        ),
        "kept": np.array([each == 1 for each in by_name.get("session_kept", ())], dtype=np.bool_),
        "penalty": np.nan_to_num(_floats(by_name.get("switch_penalty", ()))),
        "actual_cost": _NANO * _floats(by_name.get("actual_cost_nano", ())),
        "baseline_cost": _NANO * _floats(by_name.get("baseline_cost_nano", ())),
        "baseline": np.array([index.get(key, -1) for key in baselines], dtype=np.int64),
        "label": _floats([labels.get(each) if score is None else score for each, score in scores]),
        "prompt_tokens": np.nan_to_num(_floats(by_name.get("prompt_tokens", ()))),
        "completion_tokens": np.nan_to_num(_floats(by_name.get("completion_tokens", ()))),
    }


def _floats(values: Sequence[float | None]) -> Floats:
    """None becomes NaN."""
    return np.array(values, dtype=np.float64)
