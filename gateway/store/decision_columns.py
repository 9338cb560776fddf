"""Recorded decisions as arrays, for computations over a whole ledger: one row per decision, one column per model.

The candidates of twenty thousand rows a second have to be read, so each row is checked with few calls and the arrays are filled
once per page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
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
_BROKEN = (ValueError, TypeError, LookupError, AttributeError)  # what rows of other tools may lead to
_SUM_TOLERANCE = 0.01
_NANO = 1e-9
_STRATEGY, _CANDIDATES = COLUMNS.index("strategy_used"), COLUMNS.index("candidates")
_PROPENSITY, _HOLDBACK = COLUMNS.index("propensity"), COLUMNS.index("holdback")
_BASELINE = (COLUMNS.index("baseline_provider"), COLUMNS.index("baseline_model"))
_needed = itemgetter(_PROPENSITY, COLUMNS.index("complexity_score"), _CANDIDATES, COLUMNS.index("actual_cost_nano"))


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
    """A strategy that decides on recorded candidates.

    `exact`: it decides as the strategy itself would have; otherwise the row lacks something that the strategy looks at.
    """

    @property
    def exact(self) -> bool: ...

    def favourites(self, page: DecisionColumns) -> Integers:
        """The column of the model that each decision would have, without exploration; -1 where no candidate is left."""


@dataclass(slots=True)
class _Cells:
    """Values of a sparse matrix, row by row."""

    lengths: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, places: Mapping[str, float], columns: Sequence[int]) -> None:
        """The next row: `places` are numbers of `columns`, in ascending order."""
        self.lengths.append(len(places))
        self.columns.extend(columns if len(places) == len(columns) else [columns[int(place)] for place in places])
        self.values.extend(places.values())

    def places(self) -> tuple[Integers, Integers]:
        return np.repeat(np.arange(len(self.lengths)), self.lengths), np.array(self.columns, dtype=np.int64)

    def matrix(self, shape: tuple[int, int]) -> Floats:
        matrix = np.zeros(shape)
        matrix[self.places()] = self.values
        return matrix


class DecisionReader:
    """Reads pages of rows. The columns of the models stay the same from page to page; later pages may have more."""

    def __init__(self) -> None:
        self._index: dict[tuple[str, str], int] = {}

    def read(self, rows: Sequence[tuple[Any, ...]], labels: Mapping[str, float]) -> DecisionColumns:
        """The decisions among `rows` (values of `decisions.COLUMNS`) that can be replayed; `labels` are qualities by request id.

        Left out are rows without recorded candidates, probability or cost, requests that named their model, and rows into which
        another tool wrote something else. A client's own feedback is preferred to a label.
        """
        try:
            return self._read(rows, labels)
        except _BROKEN:
            return self._read([row for row in rows if self._can_read(row)], labels)

    def _can_read(self, row: tuple[Any, ...]) -> bool:
        try:
            self._read([row], {})
        except _BROKEN:
            return False
        return True

    def _read(self, rows: Sequence[tuple[Any, ...]], labels: Mapping[str, float]) -> DecisionColumns:
        index = self._index
        usable: list[tuple[Any, ...]] = []
        chosen: list[int] = []
        costs: list[float] = []
        quality, propensity, outcomes, cooling = (_Cells() for _ in range(4))
        for row in rows:
            if row[_STRATEGY] == PINNED or None in _needed(row):
                continue
            stored = orjson.loads(row[_CANDIDATES])
            if isinstance(stored, list):  # rows of earlier versions
                stored = to_columns(stored)
            if not stored:
                continue
            columns = self._columns(stored)
            usable.append(row)
            chosen.append(columns[0])
            quality.lengths.append(len(columns))
            quality.columns.extend(columns)
            quality.values.extend(stored["quality"])
            costs.extend(stored["cost"])
            propensity.add(_propensities(row, stored, index=index, columns=columns), columns)
            outcomes.add(stored["outcomes"], columns)
            cooling.add(stored["cooling"], columns)
        shape = (len(usable), len(index))
        qualities, cost, probabilities = np.zeros(shape), np.full(shape, np.nan), propensity.matrix(shape)
        places = quality.places()
        qualities[places], cost[places] = quality.values, costs
        by_name = dict(zip(COLUMNS, zip(*usable, strict=True), strict=True)) if usable else dict.fromkeys(COLUMNS, ())
        page = DecisionColumns(
            models=tuple(ModelKey(*key) for key in index),
            quality=qualities,
            cost=cost,
            propensity=probabilities,
            outcomes=outcomes.matrix(shape),
            cooling=cooling.matrix(shape) > 0,
            chosen=np.array(chosen, dtype=np.int64),
            favourite=probabilities.argmax(axis=1) if usable else np.zeros(0, dtype=np.int64),
            **_facts(by_name, index=index, labels=labels),
        )
        _check(page)
        return page

    def _columns(self, candidates: Mapping[str, Any]) -> list[int]:
        """The columns of a row's candidates; new models get new ones."""
        keys = list(zip(candidates["provider"], candidates["model"], strict=True))
        known = list(map(self._index.get, keys))
        return [self._index.setdefault(key, len(self._index)) for key in keys] if None in known else known  # type: ignore[return-value]  # holds no None


def _check(page: DecisionColumns) -> None:
    """Raises ValueError where a figure is outside its range; NaN is."""
    listed = ~np.isnan(page.cost)
    sums = page.propensity.sum(axis=1)
    sound = (
        (np.count_nonzero(listed) > 0 or not len(page))
        and bool(((page.quality >= 0) & (page.quality <= 1)).all())
        and bool((page.cost[listed] >= 0).all())
        and bool(((page.propensity >= 0) & (page.propensity <= 1)).all())
        and bool((page.propensity[page.rows, page.chosen] > 0).all())
        and bool((sums <= 1 + _SUM_TOLERANCE).all())
        and bool(listed[page.rows, page.chosen].all())
    )
    if not sound:
        raise ValueError("a figure is outside its range")


def _propensities(
    row: tuple[Any, ...], candidates: Mapping[str, Any], *, index: dict[tuple[str, str], int], columns: Sequence[int]
) -> Mapping[str, float]:
    """The candidates' probabilities by place. The row's own is exact; they lack the draw that may hold a conversation back.

    A row that could have been held back has a lower probability than its candidate; the difference is the baseline's.
    """
    places: Mapping[str, float] = candidates["propensity"]
    recorded = row[_PROPENSITY]
    own = places.get("0", 0.0)
    if own == recorded:
        return places
    exact = {**places, "0": recorded}
    if row[_HOLDBACK] == 0 and 0.0 < recorded < own:
        share = recorded / own
        exact = {place: share * value for place, value in places.items()}
        baseline = index.get((row[_BASELINE[0]], row[_BASELINE[1]]))
        if baseline is not None and baseline in columns:
            place = str(columns.index(baseline))
            exact[place] = exact.get(place, 0.0) + 1.0 - share
    return dict(sorted(exact.items(), key=lambda item: int(item[0])))


def _facts(
    by_name: Mapping[str, Sequence[Any]], *, index: Mapping[tuple[str, str], int], labels: Mapping[str, float]
) -> dict[str, Any]:
    """The members of a page that have one value per decision."""
    sessions, ids = by_name["session_id"], by_name["request_id"]
    scores = zip(ids, by_name["feedback_score"], strict=True)
    baselines = zip(by_name["baseline_provider"], by_name["baseline_model"], strict=True)
    return {
        "complexity": _floats(by_name["complexity_score"]),
        "by_complexity": np.array([each == "complexity" for each in by_name["strategy_used"]], dtype=np.bool_),
        "requested": by_name["requested_model"],
        "conversations": sessions,
        "group": np.array(
            # A subagent's conversation depends on that of its agent: its id is `session/agent`.
            [
                crc32((session or each).partition("/")[0].encode()) % GROUPS
                for session, each in zip(sessions, ids, strict=True)
            ],
            dtype=np.int64,
        ),
        "kept": np.array([each == 1 for each in by_name["session_kept"]], dtype=np.bool_),
        "penalty": np.nan_to_num(_floats(by_name["switch_penalty"])),
        "actual_cost": _NANO * _floats(by_name["actual_cost_nano"]),
        "baseline_cost": _NANO * _floats(by_name["baseline_cost_nano"]),
        "baseline": np.array([index.get(key, -1) for key in baselines], dtype=np.int64),
        "label": _floats([labels.get(each) if score is None else score for each, score in scores]),
        "prompt_tokens": np.nan_to_num(_floats(by_name["prompt_tokens"])),
        "completion_tokens": np.nan_to_num(_floats(by_name["completion_tokens"])),
    }


def _floats(values: Sequence[float | None]) -> Floats:
    """None becomes NaN."""
    return np.array(values, dtype=np.float64)
