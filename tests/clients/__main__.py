"""`python -m tests.clients [CLIENT ...]`: each client does a task with two tools and a file, on `auto` and on three named models.

Installs the clients into `.clients/` first. The demo answers, so that no key is needed; the prompt gives the plan that its simulated
models play. Prints a row for each client and model, and ends with 1 when one of them fails.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE.parent.parent / ".clients"
MODELS = ("auto", "claude/claude-haiku-4-5", "gemini/gemini-3.8-flash", "openrouter/qwen/qwen3.8-flash")
SECONDS = 120  # for one task
ENVIRONMENTS = {"venv": "requirements.txt", "venv-frameworks": "requirements-frameworks.txt"}

Command = tuple[Sequence[str], Mapping[str, str]]


def claude_code(base: str, model: str, folder: Path) -> Command:
    file = folder / "made.txt"
    plan = (
        f'[[call:Write {{"file_path": "{file}", "content": "four"}}]] '
        f'[[call:Bash {{"command": "cp made.txt copied.txt", "description": "copy"}}]] Reply with exactly: finished'
    )
    command = [str(HOME / "node_modules/.bin/claude"), "-p", plan, "--allowedTools", "Write,Bash,Read"]
    variables = {
        "ANTHROPIC_BASE_URL": base,
        "ANTHROPIC_AUTH_TOKEN": "unused",
        "ANTHROPIC_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    return command, variables


def codex(base: str, model: str, folder: Path) -> Command:
    plan = (
        '[[call:exec_command {"cmd": "printf four > made.txt"}]] '
        '[[call:exec_command {"cmd": "cp made.txt copied.txt"}]] Reply with exactly: finished'
    )
    provider = f'{{name = "gateway", base_url = "{base}/v1", wire_api = "responses", env_key = "UNUSED_KEY"}}'
    settings = ["-c", "model_provider=gateway", "-c", f"model_providers.gateway={provider}"]
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    command = [str(HOME / "node_modules/.bin/codex"), "exec", *settings, *flags, "-m", model, plan]
    return command, {"UNUSED_KEY": "unused", "CODEX_HOME": str(folder / ".codex")}


def ai_sdk(vendor: str) -> Callable[[str, str, Path], Command]:
    def command(base: str, model: str, folder: Path) -> Command:
        script = HOME / "ai_sdk.mjs"  # beside node_modules, where Node looks for packages
        script.write_text((HERE / "ai_sdk.mjs").read_text())
        return ["node", str(script), vendor, base, model, str(folder / "made.txt")], {}

    return command


def frameworks(base: str, model: str, folder: Path) -> Command:
    return [str(HOME / "venv/bin/python"), str(HERE / "frameworks.py"), base, model, str(folder / "made.txt")], {}


def snippets(language: str) -> Callable[[str, str, Path], Command]:
    def command(base: str, model: str, folder: Path) -> Command:
        script = [sys.executable, str(HERE / "snippets.py"), language]
        return [*script, base, model, str(folder / "made.txt"), str(HOME)], {}

    return command


CLIENTS: Mapping[str, Callable[[str, str, Path], Command]] = {
    "claude-code": claude_code,
    "codex": codex,
    "ai-sdk-openai": ai_sdk("openai"),
    "ai-sdk-anthropic": ai_sdk("anthropic"),
    "frameworks": frameworks,
    "snippets-python": snippets("python"),
    "snippets-js": snippets("js"),
}
COPIES = frozenset({"claude-code", "codex"})  # clients whose second tool call copies the file


def install() -> None:
    """Install the clients at their exact versions; once, until a version changes."""
    HOME.mkdir(exist_ok=True)
    wanted = "".join((HERE / name).read_text() for name in ("package.json", *ENVIRONMENTS.values()))
    stamp = HOME / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    (HOME / "package.json").write_text((HERE / "package.json").read_text())
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], cwd=HOME, check=True)
    for name, requirements in ENVIRONMENTS.items():
        subprocess.run([sys.executable, "-m", "venv", HOME / name], check=True)
        pip = [str(HOME / name / "bin/pip"), "install", "--quiet", "-r", str(HERE / requirements)]
        subprocess.run(pip, check=True)
    stamp.write_text(wanted)


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The base URL of a demo with a ledger of its own."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gateway", "demo", "--port", str(port), "--db", str(folder / "gateway.db")]
    with (folder / "gateway.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_until_ready(base)
            yield base
        finally:
            process.terminate()


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(base: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"{base}/readyz"):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The demo did not start.")


def attempt(client: str, base: str, model: str) -> str:
    """Why a task failed; empty when it was done."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".codex").mkdir()
        command, variables = CLIENTS[client](base, model, folder)
        environment = {"PATH": os.environ["PATH"], "HOME": name, **variables}
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return f"not done after {SECONDS} s"
        if done.returncode != 0:
            return (done.stderr or done.stdout).strip()[-600:]
        made = [folder / "made.txt", *([folder / "copied.txt"] if client in COPIES else [])]
        missing = [path.name for path in made if not path.exists() or path.read_text().strip() != "four"]
        if missing:
            return f"not made: {', '.join(missing)}; it said {done.stdout.strip()[-300:]}"
        return ""


def main(clients: Sequence[str]) -> int:
    unknown = sorted(set(clients) - CLIENTS.keys())
    if unknown:
        print(f"No such client: {', '.join(unknown)}. There are {', '.join(CLIENTS)}.")
        return 2
    install()
    failed = 0
    with tempfile.TemporaryDirectory() as name, demo(Path(name)) as base:
        for client in clients or CLIENTS:
            for model in MODELS:
                problem = attempt(client, base, model)
                failed += bool(problem)
                print(f"{client:18}{model:32}{problem or 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
