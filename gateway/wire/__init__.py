"""OpenAI's chat completions as values: requests, answers, chunks, usage."""

from gateway.wire.types import ChatRequest, Chunk, Completion, Json, RoutingHints, UpstreamRequest, Usage, count

__all__ = ["ChatRequest", "Chunk", "Completion", "Json", "RoutingHints", "UpstreamRequest", "Usage", "count"]
