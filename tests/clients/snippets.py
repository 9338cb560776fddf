"""Run the snippets of docs/clients.md in one language: `python snippets.py python|js BASE_URL MODEL FILE HOME`.

HOME has the environments `venv` and `venv-frameworks` and the folder `node_modules`. Blocks marked `<!-- runs -->` are left
to tests/end_to_end/test_documents.py, which needs none of these. Writes `four` into FILE when all have run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
BLOCK = re.compile(r"(?<!<!-- runs -->\n)```(python|js)\n(.*?)```", re.DOTALL)
ENVIRONMENTS = ("venv", "venv-frameworks")  # two, because the frameworks need different versions of OpenAI's SDK


def command_for(language: str, text: str, home: Path) -> Sequence[str]:
    """The program that runs this snippet: Node, or the Python of the first environment that has its packages."""
    if language == "js":
        return ["node"]
    imports = "\n".join(re.findall(r"^(?:from|import) .+$", text, re.MULTILINE))
    for name in ENVIRONMENTS:
        python = str(home / name / "bin" / "python")
        if subprocess.run([python, "-c", imports], capture_output=True).returncode == 0:
            return [python]
    sys.exit(f"No environment has what this snippet imports:\n{imports}")


def main(language: str, base: str, model: str, file: Path, home: Path) -> None:
    blocks = [text for of, text in BLOCK.findall(DOCUMENT.read_text()) if of == language]
    if not blocks:
        sys.exit(f"There is no {language} snippet in {DOCUMENT}.")
    script = home / ("snippet.mjs" if language == "js" else "snippet.py")  # beside node_modules, where Node looks
    for text in blocks:
        named = text.replace("http://127.0.0.1:8000", base).replace('"auto"', f'"{model}"')
        script.write_text(named.replace('"openai/auto"', f'"openai/{model}"'))
        done = subprocess.run([*command_for(language, text, home), str(script)], capture_output=True, text=True)
        if done.returncode or not done.stdout.strip():
            sys.exit(f"{text.splitlines()[0]}: {done.stderr.strip()[-500:] or 'it printed nothing'}")
    file.write_text("four")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5]))
