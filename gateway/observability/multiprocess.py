"""The metrics of several processes added up: each leaves its own where the others find them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

SECONDS = 1.0  # how old the others' metrics may be
# Of these the worst is told; all else adds up.
_WORST = ("gateway_event_loop_lag_seconds", "gateway_config_reload_failed")


class MultiprocessMetrics:
    """`folder` has a file of each process, the dead ones too: what they counted stays counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"metrics-{os.getpid()}"

    def publish(self, metrics: bytes) -> None:
        """For the others to find, whole or as it was before."""
        new = self._folder / f".{self._own.name}"
        new.write_bytes(metrics)
        new.replace(self._own)

    def merged(self, metrics: bytes) -> bytes:
        """This process's metrics and those that the others left last."""
        others = [path for path in sorted(self._folder.glob("metrics-*")) if path != self._own]
        texts = [(True, metrics), *((_lives(path), path.read_bytes()) for path in others)]
        registry = CollectorRegistry()
        registry.register(_Sum(texts))
        return generate_latest(registry)


class _Sum(Collector):
    def __init__(self, texts: Sequence[tuple[bool, bytes]]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        """What the dead measured is over, what they counted is not."""
        families: dict[str, Metric] = {}
        values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
        for lives, text in self._texts:
            for family in text_string_to_metric_families(text.decode()):
                families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples if lives or family.type != "gauge" else ():
                    key = (family.name, sample.name, tuple(sample.labels.items()))
                    before = values.get(key, 0.0)
                    values[key] = max(before, sample.value) if family.name in _WORST else before + sample.value
        for (name, sample_name, labels), value in values.items():
            families[name].add_sample(sample_name, dict(labels), value)
        yield from families.values()


def _lives(path: Path) -> bool:
    try:
        os.kill(int(path.name.partition("-")[2]), 0)
    except ProcessLookupError:
        return False
    return True
