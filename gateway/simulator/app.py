"""The simulator as an ASGI application: three vendors and the control routes."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from gateway.simulator.claude import Claude
from gateway.simulator.control import control_routes
from gateway.simulator.endpoint import Endpoint
from gateway.simulator.gemini import Gemini
from gateway.simulator.openrouter import OpenRouter
from gateway.simulator.simulation import Simulation

PROVIDERS = ("gemini", "claude", "openrouter")


def create_app(simulation: Simulation | None = None, *, providers: tuple[str, ...] = PROVIDERS) -> Starlette:
    """The application; `providers` leaves vendors out."""
    state = simulation or Simulation()
    gemini = Endpoint(Gemini(), state)
    routes = {
        "gemini": [
            Route(f"/{version}/models/{{model:path}}:{method}", gemini, methods=["POST"])
            for version in ("v1beta", "v1")
            for method in ("generateContent", "streamGenerateContent")
        ],
        "claude": [Route("/v1/messages", Endpoint(Claude(), state), methods=["POST"])],
        "openrouter": [Route("/api/v1/chat/completions", Endpoint(OpenRouter(), state), methods=["POST"])],
    }
    served = [route for name in providers for route in routes[name]]
    return Starlette(routes=[*served, *control_routes(state)])
