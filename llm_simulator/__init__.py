"""Simulated Gemini, Claude and OpenRouter servers that validate requests as strictly as the vendors do."""

from llm_simulator.app import create_app
from llm_simulator.faults import FAULTS, Fault
from llm_simulator.quality import answer_quality, difficulty
from llm_simulator.server import Simulator

__all__ = ["FAULTS", "Fault", "Simulator", "answer_quality", "create_app", "difficulty"]
