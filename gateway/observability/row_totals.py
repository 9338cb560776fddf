"""What settled rows add up to, for metrics that tell groups of them apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.records import RequestRecord


@dataclass(slots=True)
class RowTotals:
    """The sums of one group; cost in USD."""

    requests: dict[str, int] = field(default_factory=dict)  # by status
    cost: float = 0.0
    prompt: int = 0
    completion: int = 0

    def add(self, record: RequestRecord) -> None:
        self.requests[record.status] = self.requests.get(record.status, 0) + 1
        self.cost += 0.0 if record.actual_cost is None else float(record.actual_cost)
        if record.usage is not None:
            self.prompt += record.usage.prompt_tokens
            self.completion += record.usage.completion_tokens
