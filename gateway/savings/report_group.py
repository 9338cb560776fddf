"""The sums of the ledger that a report is made of."""

from __future__ import annotations

from typing import NamedTuple


class ReportGroup(NamedTuple):
    """Sums of closed rows that agree in model, baseline, strategy, pattern, key, evidence and cache miss; money in USD.

    `compared_usd` is the cost of the rows whose baseline is known, `baseline_usd` what the baseline would have cost for them, with
    the ends of its interval and the squared costs of the modelled rows. `explored_usd` is spent on draws of unlikely models.
    `quality_sum` adds up the ratings of `feedbacks` rows, 0 to 1 each. `missed_tokens` could have been read from a prompt cache and
    were not, which cost `missed_usd`; `lost_usd` is the part that changes of the model by the gateway lost. `bucket` is a day, or
    empty where days are not told apart.
    """

    provider: str = ""
    model: str = ""
    baseline: str = ""
    strategy: str = ""
    pattern: str = ""
    key_id: str = ""
    evidence: str = ""
    cache_miss: str = ""
    bucket: str = ""
    requests: int = 0
    errors: int = 0
    unpriced: int = 0
    spent_usd: float = 0.0
    compared_usd: float = 0.0
    baseline_usd: float = 0.0
    low_usd: float = 0.0
    high_usd: float = 0.0
    squares: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    missed_tokens: int = 0
    missed_usd: float = 0.0
    lost_usd: float = 0.0
    explored_usd: float = 0.0
    holdback_usd: float = 0.0
    quality_sum: float = 0.0
    feedbacks: int = 0
