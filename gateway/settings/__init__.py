"""Flags, environment and `config/*.yaml` -> one frozen Settings."""

from gateway.settings.environment import add_dotenv
from gateway.settings.load import files_of, load
from gateway.settings.settings import JudgeSettings, Limits, ProviderSettings, Secret, Settings, start_up_lines

__all__ = [
    "JudgeSettings",
    "Limits",
    "ProviderSettings",
    "Secret",
    "Settings",
    "add_dotenv",
    "files_of",
    "load",
    "start_up_lines",
]
