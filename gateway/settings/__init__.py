"""Flags, environment and `config/*.yaml` -> one frozen Settings."""

from gateway.settings.dotenv import add_dotenv
from gateway.settings.facts import Limits, ProviderSettings, Secret, Settings, start_up_lines
from gateway.settings.load import files_of, load

__all__ = ["Limits", "ProviderSettings", "Secret", "Settings", "add_dotenv", "files_of", "load", "start_up_lines"]
