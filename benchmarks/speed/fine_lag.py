"""`python -m benchmarks.speed.fine_lag serve ...`: the gateway, with its event-loop lag measured every 2 ms and kept for a second."""

from __future__ import annotations

from gateway.__main__ import main
from gateway.observability import event_loop_lag

PERIOD = 1.0  # seconds

if __name__ == "__main__":
    event_loop_lag.INTERVAL = 0.002
    event_loop_lag.PERIOD = PERIOD
    main()
