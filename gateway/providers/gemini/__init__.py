"""Gemini models through Google's own API."""

from gateway.providers.gemini.profiles import GeminiProfile, profile_of
from gateway.providers.gemini.provider import Gemini

__all__ = ["Gemini", "GeminiProfile", "profile_of"]
