"""Composition root: settings in, a Starlette application out."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from gateway.api.errors import on_gateway_error, on_http_error, on_internal_error
from gateway.api.routes import Application
from gateway.app.background import lifespan
from gateway.app.environment import Environment
from gateway.app.ledger import lost_keys_of, open_ledger, open_worker_ledger, writer_socket
from gateway.app.runtime import Runtime, build_runtime
from gateway.app.services import Services, build_services
from gateway.app.telemetry import open_telemetry
from gateway.app.upstreams import build_providers, build_transport
from gateway.errors import GatewayError
from gateway.routing import Pause, no_pause
from gateway.settings import Settings
from gateway.store import Store
from gateway.transport import Transport

if TYPE_CHECKING:  # not a package of every installation
    from gateway.observability.otel import OtelTelemetry

__all__ = [
    "Environment",
    "Gateway",
    "Runtime",
    "Services",
    "build_providers",
    "build_transport",
    "create_app",
    "lost_keys_of",
    "open_ledger",
    "open_worker_ledger",
    "writer_socket",
]


class Gateway:
    """The services of the process, the runtime of the configuration in force, and the application that serves it.

    What is not passed is made here; all of it is closed when the application shuts down. `shared` is a folder that the
    worker processes of one gateway share, for common counts and the process that writes the ledger for them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        store: Store | None = None,
        environment: Environment | None = None,
        telemetry: OtelTelemetry | None = None,
        demo: bool = False,
        shared: Path | None = None,
    ) -> None:
        environment = environment or Environment()
        if store is None:
            opened = open_ledger if shared is None else partial(open_worker_ledger, shared=shared)
            store = opened(settings, now=environment.now)
        self.services = build_services(
            settings,
            store=store,
            transport=transport or build_transport(settings),
            environment=environment,
            refresh=self.refresh,
            telemetry=telemetry or open_telemetry(settings, environment),
            demo=demo,
            shared=shared,
        )
        self.runtime = build_runtime(settings, self.services)
        self._watch()
        self.app = Application(
            exception_handlers={
                GatewayError: on_gateway_error,
                HTTPException: on_http_error,
                Exception: on_internal_error,
            },
            lifespan=self._lifespan,
        )
        self.app.router.redirect_slashes = False
        self.app.serve(self.runtime.routes, self.runtime.cors)
        self.app.state.gateway = self

    def refresh(self, pause: Pause = no_pause) -> None:
        """Make routing learn from the ledger; `pause` is called between short steps of that. Blocks."""
        self.runtime.refresh(pause)

    async def reload(self, settings: Settings) -> None:
        """Serve new requests with new settings; running requests finish with the old ones.

        Keys, models, prices, upstreams and everything else that decides change at once. The listening address, the ledger,
        the limits and the transport stay as they were at the start.
        """
        runtime = build_runtime(settings, self.services)
        await self.services.refresh_loop.in_slices(runtime.refresh)
        self.runtime = runtime
        self._watch()
        self.app.serve(runtime.routes, runtime.cors)

    def _watch(self) -> None:
        """Let metrics, alerts, the retention and open pages look at the runtime in force."""
        self.services.exporter.state = self.runtime.state_metrics
        self.services.key_budgets.wanted = self.runtime.settings.metrics_key_labels
        self.services.alert_monitor.use(self.runtime.alert_conditions, self.runtime.settings.webhooks)
        self.services.content_retention.days = self.runtime.settings.content_retention_days
        self.services.live_updates.restart()

    def _lifespan(self, app: Starlette) -> AbstractAsyncContextManager[None]:
        return lifespan(self.services)


def create_app(
    settings: Settings,
    *,
    transport: Transport | None = None,
    store: Store | None = None,
    environment: Environment | None = None,
    demo: bool = False,
) -> Starlette:
    """The application of a `Gateway` with these arguments."""
    return Gateway(settings, transport=transport, store=store, environment=environment, demo=demo).app
