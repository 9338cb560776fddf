"""Simulated Gemini, Claude and OpenRouter servers that speak the vendors' wire formats strictly."""

from gateway.simulator.app import create_app
from gateway.simulator.faults import FAULTS, Fault
from gateway.simulator.quality import answer_quality, difficulty
from gateway.simulator.run import Simulator

__all__ = ["FAULTS", "Fault", "Simulator", "answer_quality", "create_app", "difficulty"]
