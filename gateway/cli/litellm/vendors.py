"""LiteLLM's prefixes of models, and the upstream that each one is here.

Base URLs and variables are LiteLLM's own defaults (docs.litellm.ai/docs/providers, `get_llm_provider_logic.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class VendorEndpoint(NamedTuple):
    """`kind` is that of providers.yaml. Without a `base_url` the deployment's `api_base` has to name it."""

    kind: str
    base_url: str | None
    key_variable: str | None = None


VENDORS: Mapping[str, VendorEndpoint] = {
    "anthropic": VendorEndpoint("claude", "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "gemini": VendorEndpoint("gemini", "https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
    "openrouter": VendorEndpoint("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "openai": VendorEndpoint("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "cerebras": VendorEndpoint("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "deepinfra": VendorEndpoint("openai", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "deepseek": VendorEndpoint("openai", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "fireworks_ai": VendorEndpoint("openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
    "groq": VendorEndpoint("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": VendorEndpoint("openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "nvidia_nim": VendorEndpoint("openai", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    "perplexity": VendorEndpoint("openai", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    "sambanova": VendorEndpoint("openai", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    "together_ai": VendorEndpoint("openai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    "xai": VendorEndpoint("openai", "https://api.x.ai/v1", "XAI_API_KEY"),
    "ollama": VendorEndpoint("openai", "http://127.0.0.1:11434/v1"),
    "ollama_chat": VendorEndpoint("openai", "http://127.0.0.1:11434/v1"),
    "llamafile": VendorEndpoint("openai", "http://127.0.0.1:8080/v1"),
    "lm_studio": VendorEndpoint("openai", None),
    "hosted_vllm": VendorEndpoint("openai", None),
    "vllm": VendorEndpoint("openai", None),
    "custom_openai": VendorEndpoint("openai", None),
    "openai_like": VendorEndpoint("openai", None),
    "litellm_proxy": VendorEndpoint("openai", None),
    "xinference": VendorEndpoint("openai", None),
}
# Names of providers here where they are not the prefix.
NAMES: Mapping[str, str] = {"anthropic": "claude", "ollama_chat": "ollama", "hosted_vllm": "vllm"}
# How LiteLLM takes the prefix of a model that has none.
BARE = (
    ("claude-", "anthropic"),
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
)
INSTEAD: Mapping[str, str] = {
    "azure": "Azure's own API is not spoken. Where the resource has the v1 API, write a row of kind `openai` with the base URL "
    "https://RESOURCE.openai.azure.com/openai/v1 and use the deployment's name as model",
    "azure_ai": "write a row of kind `openai` if the endpoint speaks OpenAI's chat completions with a bearer key",
    "bedrock": "call the same model as `claude/...` with a key of Anthropic's, or as `openrouter/...`",
    "sagemaker": "write a row of kind `openai` if the endpoint speaks OpenAI's chat completions with a bearer key",
    "vertex_ai": "call the same model as `gemini/...` or `claude/...` with a key of Google's or Anthropic's API",
    "vertex_ai_beta": "call the same model as `gemini/...` with a key of Google's Gemini API",
}
OTHERWISE = "use an upstream that speaks OpenAI's chat completions (a row of kind `openai`), or the model at OpenRouter"


def split(model: str) -> tuple[str, str]:
    """The prefix and the vendor's own id of a LiteLLM model; an empty prefix where LiteLLM would not know it."""
    prefix, slash, rest = model.partition("/")
    if slash:
        return prefix, rest
    return next((vendor for start, vendor in BARE if model.startswith(start)), ""), model
