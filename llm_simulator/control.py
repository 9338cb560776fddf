"""The control API: plan faults, remove them, and read the recorded requests."""

from __future__ import annotations

from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from llm_simulator import quality
from llm_simulator.faults import FAULTS
from llm_simulator.simulation import Simulation

FIELDS = {"provider", "model", "fault", "times", "rate", "value"}


class Control:
    """Endpoints under /_simulator."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def faults(self, request: Request) -> JSONResponse:
        plan = self._simulation.faults
        if request.method == "DELETE":
            plan.clear()
        elif request.method == "POST":
            problem = self._plan_fault(await _json(request))
            if problem:
                return JSONResponse({"error": problem, "faults": list(FAULTS)}, status_code=400)
        return JSONResponse({"planned": plan.as_list()})

    async def requests(self, request: Request) -> JSONResponse:
        recorded = self._simulation.requests
        if request.method == "DELETE":
            recorded.clear()
        provider = request.query_params.get("provider")
        return JSONResponse({"requests": [entry.as_dict() for entry in recorded if provider in (None, entry.provider)]})

    async def quality(self, request: Request) -> JSONResponse:
        """The true difficulty of a prompt and quality of a model on it."""
        body = await _json(request)
        model, prompt = str(body.get("model", "")), str(body.get("prompt", ""))
        return JSONResponse(
            {
                "difficulty": quality.difficulty(prompt),
                "quality": quality.answer_quality(model, prompt, self._simulation.seed),
                "topic": quality.topic(prompt),
            }
        )

    def _plan_fault(self, body: dict[str, Any]) -> str | None:
        unknown = body.keys() - FIELDS
        if unknown:
            return f"unknown fields: {', '.join(sorted(unknown))}"
        times, rate = body.get("times", 1), body.get("rate", 1.0)
        if not isinstance(times, int | None) or not isinstance(rate, int | float):
            return "times is an integer or null, rate a number"
        try:
            self._simulation.faults.add(
                str(body.get("fault")),
                provider=body.get("provider"),
                model=body.get("model"),
                times=times,
                rate=float(rate),
                value=str(body.get("value", "")),
            )
        except KeyError as error:
            return f"unknown fault {error}"
        return None


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def control_routes(simulation: Simulation) -> list[Route]:
    control = Control(simulation)
    return [
        Route("/_simulator/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_simulator/requests", control.requests, methods=["GET", "DELETE"]),
        Route("/_simulator/quality", control.quality, methods=["POST"]),
    ]
