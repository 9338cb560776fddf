"""The control API: order faults, take them back, and read what the simulator saw."""

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
    """Answers under /_simulator."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def faults(self, request: Request) -> JSONResponse:
        plan = self._simulation.faults
        if request.method == "DELETE":
            plan.clear()
        elif request.method == "POST":
            refusal = self._order(await _json(request))
            if refusal:
                return JSONResponse({"error": refusal, "faults": list(FAULTS)}, status_code=400)
        return JSONResponse({"planned": plan.listed()})

    async def requests(self, request: Request) -> JSONResponse:
        seen = self._simulation.requests
        if request.method == "DELETE":
            seen.clear()
        provider = request.query_params.get("provider")
        return JSONResponse({"requests": [entry.as_dict() for entry in seen if provider in (None, entry.provider)]})

    async def quality(self, request: Request) -> JSONResponse:
        """The truth about a model and a prompt."""
        asked = await _json(request)
        model, prompt = str(asked.get("model", "")), str(asked.get("prompt", ""))
        return JSONResponse(
            {
                "difficulty": quality.difficulty(prompt),
                "quality": quality.answer_quality(model, prompt, self._simulation.seed),
                "topic": quality.topic(prompt),
            }
        )

    def _order(self, asked: dict[str, Any]) -> str | None:
        unknown = asked.keys() - FIELDS
        if unknown:
            return f"unknown fields: {', '.join(sorted(unknown))}"
        times, rate = asked.get("times", 1), asked.get("rate", 1.0)
        if not isinstance(times, int | None) or not isinstance(rate, int | float):
            return "times is an integer or null, rate a number"
        try:
            self._simulation.faults.add(
                str(asked.get("fault")),
                provider=asked.get("provider"),
                model=asked.get("model"),
                times=times,
                rate=float(rate),
                value=str(asked.get("value", "")),
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
