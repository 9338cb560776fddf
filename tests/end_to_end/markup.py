"""Hostile texts in a ledger, and what Chromium makes of the dashboard that shows them.

python -m tests.end_to_end.markup [PATH OF CHROMIUM]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from gateway.store import SettleRequest, Store
from gateway.store.sqlite import SqliteStore
from tests.store.cases import ended

MARK = "ran-as-script"
_RUN = f"document.title='{MARK}'"
PAYLOADS = (
    f"<script>{_RUN}</script>",
    f'"><img src=x onerror="{_RUN}">',
    f"<svg/onload={_RUN}>",
    f"'-{_RUN}-'",
    f"</title><script>{_RUN}</script>",
    f"</td></table><iframe srcdoc='<script>parent.{_RUN}</script>'></iframe>",
    f'<a href="javascript:{_RUN}">x</a>',
    f"<style>@import 'javascript:{_RUN}';</style>",
    f"<math><mi xlink:href='data:x,<script>{_RUN}</script>'>",
    f"<!--><script>{_RUN}</script-->",
    f"<details open ontoggle={_RUN}>",
    f"{{{{ 7*7 }}}}${{{_RUN}}}<%= 7*7 %>",
    f"[x](javascript:{_RUN})",
    f"<base href='https://elsewhere.example/'><form action=/><input autofocus onfocus={_RUN}>",
    f"<meta http-equiv=refresh content='0;url=javascript:{_RUN}'>",
)


def hostile_rows(store: Store) -> None:
    """A row for each text, in every column that a client, an upstream or another tool can write to."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    for number, text in enumerate(PAYLOADS):
        row = ended(
            f"r{number}",
            timestamp=now,
            selected_provider=text,
            selected_model=text,
            baseline_model=text,
            pattern_detected=text,
            reasoning=text,
            requested_model=text,
            session_id=text,
            client_request_id=text,
            fallback_used=True,
            fallback_reason=text,
            error_code=text,
            finish_reason=text,
        )
        store.submit(SettleRequest(row)).result()


def main(chromium: str = "chromium") -> None:
    """Ends with 1 when a text ran as a script."""
    from tests.conftest import KEYS

    with tempfile.TemporaryDirectory() as folder:
        with closing(SqliteStore(Path(folder) / "gateway.db")) as store:
            hostile_rows(store)
        command = [sys.executable, "-m", "gateway", "serve", "--port", "8765", "--db", str(Path(folder) / "gateway.db")]
        with subprocess.Popen(command, env=KEYS, stderr=subprocess.PIPE, text=True) as gateway:  # noqa: S603 - ourselves
            assert gateway.stderr is not None
            next(line for line in gateway.stderr if "running on" in line)
            browser = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
            shown = subprocess.run(  # noqa: S603 - the operator's own browser
                [*browser, "--virtual-time-budget=3000", "--dump-dom", "http://127.0.0.1:8765/"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            gateway.terminate()
    title = shown.partition("<title>")[2].partition("</title>")[0]
    seen = shown.count("&lt;")
    sys.stdout.write(f"{len(PAYLOADS)} texts, title {title!r}, {seen} brackets shown as text\n")
    sys.exit(MARK in title or not seen)


if __name__ == "__main__":
    main(*sys.argv[1:])
