"""Reads the configuration and the keys of a LiteLLM proxy."""

from gateway.cli.litellm.configuration import ImportedConfig, imported
from gateway.cli.litellm.keys import KeyImport, read_keys
from gateway.cli.litellm.report import ReportEntry, summary

__all__ = ["ImportedConfig", "KeyImport", "ReportEntry", "imported", "read_keys", "summary"]
