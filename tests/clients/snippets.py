"""Run the snippets of docs/clients.md in the language of NAME: `python snippets.py python|js BASE_URL MODEL FILE`.

Blocks marked `<!-- runs -->` are left to tests/end_to_end/test_documents.py. The others need packages that only this
environment has. Writes `four` into FILE when all have run, as the other clients do with their tools.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
BLOCK = re.compile(r"(?<!<!-- runs -->\n)```(python|js)\n(.*?)```", re.DOTALL)
LANGUAGE, BASE, MODEL, FILE = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
SCRIPT = Path(sys.argv[5]) / "snippet.mjs" if LANGUAGE == "js" else FILE.with_name("snippet.py")


def main() -> None:
    blocks = [text for language, text in BLOCK.findall(DOCUMENT.read_text()) if language == LANGUAGE]
    assert blocks, f"No {LANGUAGE} block in {DOCUMENT}."
    for text in blocks:
        named = text.replace("http://127.0.0.1:8000", BASE).replace('"auto"', f'"{MODEL}"')
        SCRIPT.write_text(named.replace('"openai/auto"', f'"openai/{MODEL}"'))
        command = ["node"] if LANGUAGE == "js" else [sys.executable]
        done = subprocess.run([*command, str(SCRIPT)], capture_output=True, text=True)
        if done.returncode or not done.stdout.strip():
            sys.exit(f"{text.splitlines()[0]}: {done.stderr.strip()[-500:] or 'it printed nothing'}")
    FILE.write_text("four")


main()
