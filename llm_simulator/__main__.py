"""`python -m llm_simulator`: serves the simulated vendors from the command line."""

from __future__ import annotations

import click

from llm_simulator.faults import FAULTS
from llm_simulator.server import AbruptServer, server_config
from llm_simulator.simulation import Simulation


def fault_table() -> str:
    """The faults, one per line."""
    return "\n".join(f"  {fault.name:<20}{fault.summary}" for fault in FAULTS.values())


HELP_END = f"""\b
Faults: put [[fault:NAME]], [[fault:NAME=VALUE]] or [[fault:NAME@PROVIDER]] (gemini, claude, openrouter) into a prompt,
or POST {{"provider", "model", "fault", "value", "times", "rate"}} to /_simulator/faults (DELETE takes all back).
A number, as in [[fault:429]], is the first fault with that status.
\b
{fault_table()}
\b
Other markers: [[say:TEXT]] answers exactly TEXT, [[tokens:N]] answers N tokens, [[call:NAME {...}]] calls a tool, [[redacted]] adds redacted thinking (Claude).
GET /_simulator/requests shows the requests that arrived, headers and bodies included.
POST /_simulator/quality {{"model", "prompt"}} answers how hard the prompt is and how well the model does on it.
"""


@click.command(epilog=HELP_END)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8899, show_default=True, help="Port; all three vendors share it, by path.")
@click.option("--seed", default=0, show_default=True, help="The same seed and requests give the same answers.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds before each answer begins.")
@click.option("--chunk-delay", default=0.0, show_default=True, help="Seconds between the pieces of a stream.")
@click.option("--gemini-key", default=None, help="The only key Gemini takes (default: any that is not called invalid).")
@click.option("--anthropic-key", default=None, help="The only key Anthropic takes.")
@click.option("--openrouter-key", default=None, help="The only key OpenRouter takes.")
def main(
    host: str,
    port: int,
    seed: int,
    latency: float,
    chunk_delay: float,
    gemini_key: str | None,
    anthropic_key: str | None,
    openrouter_key: str | None,
) -> None:
    """Simulated Gemini, Anthropic and OpenRouter servers: strict about requests, deterministic, with scripted faults."""
    key_options = {"gemini": gemini_key, "claude": anthropic_key, "openrouter": openrouter_key}
    keys = {name: key for name, key in key_options.items() if key}
    simulation = Simulation(seed=seed, latency=latency, chunk_delay=chunk_delay, keys=keys)
    base = f"http://{host}:{port}"
    click.echo(f"GEMINI_BASE_URL={base}\nANTHROPIC_BASE_URL={base}\nOPENROUTER_BASE_URL={base}/api/v1")
    AbruptServer(server_config(simulation, host=host, port=port)).run()


if __name__ == "__main__":  # pragma: no cover - the tests run it as a process of its own
    main()
