"""A process that serves requests in front of simulated upstreams and tells whom it connected to.

python -m tests.end_to_end.outbound
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

KEYS = dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated")
MODELS = ("auto", "gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash")


class Outbound:
    """An audit hook: from here on every connection and every look-up of this process is noted."""

    def __init__(self) -> None:
        self.connected: list[str] = []
        self.looked_up: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            address = arguments[1]
            self.connected.append(":".join(map(str, address[:2])) if isinstance(address, tuple) else str(address))
        elif event == "socket.getaddrinfo":
            self.looked_up.append(str(arguments[0]))


def main() -> None:
    outbound = Outbound()
    # Imported under the hook, so that what an import does is noted too.
    from starlette.testclient import TestClient

    from gateway.app import create_app
    from gateway.settings import load
    from llm_simulator import Simulator

    simulator = Simulator(seed=1)
    urls = simulator.start()
    statuses: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load({**KEYS, **urls, "GATEWAY_DB": str(Path(folder) / "gateway.db")}))
        with TestClient(app, base_url="http://127.0.0.1:8000") as client:
            for model in MODELS:
                body = {"model": model, "messages": [{"role": "user", "content": "See https://example.com/ and 2+2?"}]}
                for path, changes in (("chat/completions", {}), ("chat/completions", {"stream": True}), ("route", {})):
                    statuses.append(client.post(f"/v1/{path}", json=body | changes).status_code)
            statuses += [client.get(path).status_code for path in ("/", "/metrics", "/v1/models", "/readyz")]
    simulator.stop()
    configured = sorted({urlsplit(url).netloc for url in urls.values()})
    told = {"statuses": statuses, "configured": configured}
    sys.stdout.write(json.dumps({**told, "connected": outbound.connected, "looked_up": outbound.looked_up}) + "\n")


if __name__ == "__main__":
    main()
