"""The models that requests can be routed to, and the resolution of model names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, NamedTuple, get_args

from gateway.catalog.strengths import check as check_strength
from gateway.errors import ConfigError, ModelNotFound

Tier = Literal["simple", "moderate", "complex"]
TIERS: tuple[Tier, ...] = get_args(Tier)

# Abilities that a request may need and a model may have. `n` means several choices per request.
ABILITIES = frozenset(
    {
        "tools",
        "vision",
        "audio",
        "audio_output",
        "image_output",
        "pdf",
        "json_schema",
        "reasoning",
        "sampling",
        "n",
        "logprobs",
    }
)

# Trade-offs by the name after `auto:`, from 0.0 (cheapest sufficient model) to 1.0 (best quality); `auto` means `balanced`.
TRADEOFFS: Mapping[str, float] = {"cheap": 0.2, "balanced": 0.5, "quality": 1.0}
# Providers by the prefix of a full name, before the first slash.
PREFIXES = {
    "gemini": "gemini",
    "claude": "claude",
    "anthropic": "claude",
    "openrouter": "openrouter",
}
ID = re.compile(r"[A-Za-z0-9._:@-]+(/[A-Za-z0-9._:@-]+){0,128}")
MAX_ID_LENGTH = 256
# Clients choose the names, and fuzzy matching takes quadratic time.
MAX_FUZZY_LENGTH = 100


class ModelKey(NamedTuple):
    """Identifies a model: its provider, and the provider's own id of it. Equal to the plain pair."""

    provider: str
    name: str

    @property
    def full_name(self) -> str:
        """The name that clients use."""
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True)
class Auto:
    """The gateway chooses the model; `tradeoff` is 0.0 (cheapest sufficient model) to 1.0 (best quality)."""

    tradeoff: float


@dataclass(frozen=True, slots=True)
class Pinned:
    """The client chose a model; `listed` is its catalogue entry, or None."""

    provider: str
    model: str
    listed: Model | None

    @property
    def key(self) -> ModelKey:
        return ModelKey(self.provider, self.model)


Target = Auto | Pinned


@dataclass(frozen=True, slots=True)
class Model:
    """One model as routing sees it. Prices are USD per million tokens; limits are tokens.

    `name` is the provider's model id. An unknown limit (None) or unknown abilities (None) never exclude a model.
    `context_prices` are `(threshold in prompt tokens, input price, output price)`, ascending; a price applies above its threshold.
    `strength` is a public figure of its quality, in standard deviations over the catalogue's median model, `strength_error` the
    standard error of that (None: 0.25), `strength_source` says where it comes from. Raises ValueError for absurd ones.
    `effort` is the reasoning effort that the model is asked for; its name ends in it (`model_effort`). None: the client's, or the
    provider's default. `key` is `(provider, name)`, built once because every decision reads it many times.
    """

    provider: str
    name: str
    tier: Tier
    input_price: float
    output_price: float
    cache_read_price: float | None = None
    cache_write_price: float | None = None
    cache_write_1h_price: float | None = None
    context_prices: tuple[tuple[int, float, float], ...] = ()
    context_window: int | None = None
    max_output: int | None = None
    abilities: frozenset[str] | None = None
    created: int = 0
    strength: float | None = None
    strength_error: float | None = None
    strength_source: str | None = None
    effort: str | None = None
    key: ModelKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_strength(self.name, self.strength, self.strength_error)
        object.__setattr__(self, "key", ModelKey(self.provider, self.name))

    @property
    def full_name(self) -> str:
        """The name clients use: `gemini/...`, `claude/...`, `openrouter/<vendor>/...`."""
        return f"{self.provider}/{self.name}"

    @property
    def rank(self) -> int:
        """0, 1, 2 for simple, moderate, complex."""
        return TIERS.index(self.tier)

    def estimate(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Expected cost in USD of a request of this size at list prices, without cache reads."""
        input_price, output_price = self.input_price, self.output_price
        for above, tier_input, tier_output in self.context_prices:
            if prompt_tokens > above:
                input_price, output_price = tier_input, tier_output
        return (prompt_tokens * input_price + completion_tokens * output_price) / 1e6

    def can(self, needs: Iterable[str]) -> bool:
        """Whether the model has all of `needs` (names in ABILITIES); True if its abilities are unknown."""
        return self.abilities is None or self.abilities.issuperset(needs)


class Catalog:
    """An ordered, immutable set of models, found by (provider, name) or by any name a client may use.

    `aliases` maps names to names, `providers` are additional prefixes of full names, `tradeoffs` are the names after `auto:`.
    `retired` models are not among the models, but their ids are still names: their provider says that they are gone.
    Raises ConfigError for an alias of an unknown model, a circular alias, or one that is named like `auto`.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        aliases: Mapping[str, str] | None = None,
        providers: Iterable[str] = (),
        tradeoffs: Mapping[str, float] = TRADEOFFS,
        retired: Iterable[ModelKey] = (),
    ) -> None:
        self.retired = tuple(retired)
        self._models = tuple(models)
        self._by_key: dict[tuple[str, str], Model] = {model.key: model for model in self._models}
        self._prefixes = {name: name for name in (*self.providers, *providers)} | PREFIXES
        self._tradeoffs = tradeoffs
        self._auto = {"auto": Auto(tradeoffs["balanced"])} | {f"auto:{k}": Auto(v) for k, v in tradeoffs.items()}
        self.aliases: Mapping[str, str] = {}
        if problems := self.alias_problems(aliases or {}):
            raise ConfigError([f"alias {alias!r}: {problem}" for alias, problem in problems.items()])
        self.aliases = dict(aliases or {})

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def get(self, provider: str, name: str) -> Model | None:
        return self._by_key.get((provider, name))

    @property
    def providers(self) -> tuple[str, ...]:
        """In order of first appearance."""
        return tuple(dict.fromkeys(model.provider for model in self._models))

    @property
    def names(self) -> tuple[str, ...]:
        """All exact names: `auto` and its variants, aliases, full names."""
        return (*self._auto, *self.aliases, *(model.full_name for model in self._models))

    def resolve(self, name: str, bare_provider: str | None = None) -> Target:
        """Resolve `auto`, an alias, a full name (listed or not), or the id of exactly one model. Raises ModelNotFound.

        With `bare_provider`, an id without a prefix that no listed model has is a model of that provider.
        """
        while name in self.aliases:
            name = self.aliases[name]
        if auto := self._auto.get(name):
            return auto
        found = self._by_full_name(name)
        if found is None and bare_provider is not None and self.get(bare_provider, name) is None and _is_id(name):
            return Pinned(bare_provider, name, None)
        return found or self._by_id(name)

    def _by_full_name(self, name: str) -> Pinned | None:
        prefix, _, model = name.partition("/")
        provider = self._prefixes.get(prefix)
        if provider is None or not _is_id(model):
            return None
        listed = self.get(provider, model)
        if provider == "openrouter" and "/" not in model and not listed:
            model = name  # OpenRouter's own models, such as `openrouter/auto`, have `openrouter` as vendor
        return Pinned(provider, model, listed)

    def _by_id(self, name: str) -> Pinned:
        keys = [model.key for model in self._models] + list(self.retired)
        matches = [key for key in keys if key.name == name]
        if len(matches) != 1:
            raise self._not_found(name, [key.full_name for key in matches])
        return Pinned(*matches[0], self.get(*matches[0]))

    def _not_found(self, name: str, candidates: list[str]) -> ModelNotFound:
        shown = name if len(name) <= MAX_FUZZY_LENGTH else f"{name[:MAX_FUZZY_LENGTH]}..."
        ids = (model.name for model in self._models)
        nearest = candidates or get_close_matches(
            name[:MAX_FUZZY_LENGTH], dict.fromkeys((*self.names, *ids)), n=3, cutoff=0.5
        )
        hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
        alias = f"{name}: auto" if ID.fullmatch(name[:MAX_FUZZY_LENGTH]) and name == shown else "name: auto"
        return ModelNotFound(
            f"The model {shown!r} does not exist. Use `auto`, or an alias (`aliases: {{{alias}}}` in gateway.yaml makes one). {hint}"
            "GET /v1/models, or `gateway models`, lists the names; "
            "a model that is not listed needs its provider's name in front, as in gemini/<id>.",
            param="model",
        )

    def with_aliases(self, aliases: Mapping[str, str]) -> Catalog:
        """A catalogue with additional aliases."""
        return self._changed(aliases={**self.aliases, **aliases})

    def with_models(self, models: Iterable[Model]) -> Catalog:
        """A catalogue of these models. Raises ConfigError where an alias means none of them."""
        return self._changed(models=models)

    def with_tradeoffs(self, tradeoffs: Mapping[str, float]) -> Catalog:
        """A catalogue with other trade-offs after `auto:`; those that are not given stay."""
        return self._changed(tradeoffs={**self._tradeoffs, **tradeoffs})

    @property
    def tradeoffs(self) -> Mapping[str, float]:
        """By the name after `auto:`."""
        return self._tradeoffs

    def _changed(
        self,
        *,
        models: Iterable[Model] | None = None,
        aliases: Mapping[str, str] | None = None,
        tradeoffs: Mapping[str, float] | None = None,
    ) -> Catalog:
        return Catalog(
            self._models if models is None else models,
            aliases=self.aliases if aliases is None else aliases,
            providers=self._prefixes,
            tradeoffs=self._tradeoffs if tradeoffs is None else tradeoffs,
            retired=self.retired,
        )

    def alias_problems(self, aliases: Mapping[str, str]) -> dict[str, str]:
        """The problems of unusable aliases, by alias."""
        problems = ((alias, self._alias_problem(alias, aliases)) for alias in aliases)
        return {alias: problem for alias, problem in problems if problem}

    def _alias_problem(self, alias: str, aliases: Mapping[str, str]) -> str | None:
        if alias in self._auto:
            return "the name is the gateway's own"
        visited, name = [alias], aliases[alias]
        while name in aliases:
            if name in visited:
                return f"it goes round in a circle: {' -> '.join([*visited, name])}"
            visited.append(name)
            name = aliases[name]
        try:
            self.resolve(name)
        except ModelNotFound as error:
            return error.message
        return None


def _is_id(text: str) -> bool:
    """Whether a text has only letters, digits and `. _ - : / @`, and no empty, `.` or `..` segment, so that it is safe in a URL path."""
    return (
        len(text) <= MAX_ID_LENGTH and ID.fullmatch(text) is not None and not {".", ".."}.intersection(text.split("/"))
    )
