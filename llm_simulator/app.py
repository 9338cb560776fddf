"""The simulator as an ASGI application: three vendors and the control routes."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from llm_simulator.claude import ClaudeVendor
from llm_simulator.claude.count_tokens import ClaudeTokenCounter
from llm_simulator.control import control_routes
from llm_simulator.endpoint import VendorEndpoint
from llm_simulator.gemini import GeminiVendor
from llm_simulator.gemini.embeddings import GeminiEmbeddings
from llm_simulator.openrouter import OpenRouterVendor
from llm_simulator.openrouter.embeddings import OpenRouterEmbeddings
from llm_simulator.simulation import Simulation

PROVIDERS = ("gemini", "claude", "openrouter")


def create_app(simulation: Simulation | None = None, *, providers: tuple[str, ...] = PROVIDERS) -> Starlette:
    """The application; `providers` leaves vendors out."""
    state = simulation or Simulation()
    gemini, gemini_embeddings = VendorEndpoint(GeminiVendor(), state), VendorEndpoint(GeminiEmbeddings(), state)
    methods = {
        "generateContent": gemini,
        "streamGenerateContent": gemini,
        "batchEmbedContents": gemini_embeddings,
    }
    routes = {
        "gemini": [
            Route(f"/{version}/models/{{model:path}}:{method}", endpoint, methods=["POST"])
            for version in ("v1beta", "v1")
            for method, endpoint in methods.items()
        ],
        "claude": [
            Route("/v1/messages", VendorEndpoint(ClaudeVendor(), state), methods=["POST"]),
            Route("/v1/messages/count_tokens", VendorEndpoint(ClaudeTokenCounter(), state), methods=["POST"]),
        ],
        "openrouter": [
            Route("/api/v1/chat/completions", VendorEndpoint(OpenRouterVendor(), state), methods=["POST"]),
            Route("/api/v1/embeddings", VendorEndpoint(OpenRouterEmbeddings(), state), methods=["POST"]),
        ],
    }
    served = [route for name in providers for route in routes[name]]
    return Starlette(routes=[*served, *control_routes(state)])
