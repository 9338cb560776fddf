"""What was learned is only ever what the ledger's outcomes say, so a row that makes no sense costs that row."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from gateway.routing import RoutingEngine
from gateway.store.sqlite import SqliteStore

COLUMNS = "timestamp, provider, model, pattern, complexity, quality, cost, input_tokens, features, source, weight"
ODD = [
    ("never", "gemini", "gemini-3.8-flash", "code", 0.5, 1.0, 0.01, 100, '{"broken', "feedback", 1.0),
    ("", "nobody", "no-such-model", "no-such-pattern", -1e308, 7.0, -3.0, -5, '["no", "mapping"]', "feedback", -2.0),
    ("2026", "claude", "claude-haiku-5-5", "", 1e308, "good", "dear", "many", '{"words": "none"}', "x", 1e308),
    (b"\xff", b"\xfe", b"\xfd", b"\xfc", b"\xfb", b"\xfa", b"\xf9", b"\xf8", b"\xf7", b"\xf6", b"\xf5"),
]


def test_outcomes_that_make_no_sense(tmp_path: Path) -> None:
    """Whatever stands in the outcomes, a start learns what it can and decides without a fallback, by figures that are some; nothing is deleted."""
    path = tmp_path / "gateway.db"
    SqliteStore(path).close()
    with closing(apsw.Connection(str(path))) as connection:
        places = ", ".join("?" for _ in ODD[0])
        connection.executemany(f"INSERT INTO outcomes ({COLUMNS}) VALUES ({places})", ODD)  # noqa: S608 - our own names
    engine = RoutingEngine(str(path), seed=0)
    decision = engine.route("Hello", auto_route=True)
    engine.close()
    assert decision.provider in ("gemini", "claude", "openrouter")
    assert not decision.fallback_used
    assert 0 <= decision.metadata["quality_score"] <= 1
    assert 0 <= decision.metadata["cost_estimate"] < 1
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM outcomes").get == len(ODD)
