"""The running gateway that a command asks: its address, its key, and what to say when it does not answer or refuses."""

from __future__ import annotations

from typing import Any, NamedTuple

import click

from gateway.settings import Settings

URL = click.option("--url", help="The gateway. [default: http://HOST:PORT of the settings]")
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not listened on


class RunningGateway(NamedTuple):
    """`headers` has the first client key of the settings, where they have one. Messages call it by its `name`, else its URL."""

    url: str
    headers: dict[str, str]
    name: str | None = None

    def absent(self, error: Exception) -> click.ClickException:
        """The end of a command whose request got no answer."""
        return click.ClickException(
            f"No gateway answers at {self.url}: {error}. Start it with `gateway serve`, or name another one with --url."
        )

    def refused(self, status: int, answer: Any) -> click.ClickException:
        """The end of a command whose request was refused, with the gateway's own message; or answered by something else."""
        error = answer.get("error") if isinstance(answer, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        who = self.name or self.url
        if not message:
            return click.ClickException(
                f"{who} answers ({status}), but not as a gateway does. Name the gateway with --url."
            )
        return click.ClickException(f"{who} refused ({status}): {message}")


def running_gateway(settings: Settings, url: str | None) -> RunningGateway:
    """The gateway at `url`, else at the address of the settings."""
    key = settings.client_keys[0].value if settings.client_keys else None
    return RunningGateway((url or _own_url(settings)).rstrip("/"), {"authorization": f"Bearer {key}"} if key else {})


def _own_url(settings: Settings) -> str:
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
