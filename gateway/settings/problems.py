"""What is found on the way to the settings: problems prevent the start, warnings are shown at it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ConfigProblems:
    """Sentences for the operator, each opening with where to mend it."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
