"""What model names mean, and what a model says of itself."""

from __future__ import annotations

import pytest

from gateway.catalog.catalog import Auto, Catalog, Model, Pinned
from gateway.errors import ConfigError, ModelNotFound

FLASH = Model("gemini", "gemini-3.8-flash", "simple", 0.75, 3.75)
HAIKU = Model("claude", "claude-haiku-5-5", "moderate", 0.1, 0.5, context_prices=((100_000, 0.5, 2.5),))
SONNET = Model("claude", "claude-sonnet-5-5", "complex", 2.0, 10.0, abilities=frozenset({"tools"}))
DEEPSEEK = Model("openrouter", "deepseek/deepseek-v4.1-flash", "moderate", 0.21, 0.84)
ALIASES = {"gpt-4o": "auto", "old": "older", "older": "gemini-flash", "gemini-flash": "gemini/gemini-3.8-flash"}
CATALOG = Catalog([FLASH, HAIKU, SONNET, DEEPSEEK], aliases=ALIASES, providers=["ollama"])


@pytest.mark.parametrize(
    ("name", "tradeoff"), [("auto", 0.5), ("auto:balanced", 0.5), ("auto:cheap", 0.2), ("auto:quality", 0.8)]
)
def test_auto_with_colon_sets_the_tradeoff(name: str, tradeoff: float) -> None:
    """`auto` routes, and what follows its colon moves the trade-off."""
    assert CATALOG.resolve(name) == Auto(tradeoff)


def test_tradeoffs_can_be_given() -> None:
    """The trade-offs behind `auto:` are configuration, and more of them can be named."""
    catalog = Catalog([], tradeoffs={"balanced": 0.4, "thrifty": 0.1})
    assert catalog.resolve("auto") == Auto(0.4)
    assert catalog.resolve("auto:thrifty") == Auto(0.1)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("gemini/gemini-3.8-flash", Pinned("gemini", "gemini-3.8-flash", FLASH)),
        ("claude/claude-haiku-5-5", Pinned("claude", "claude-haiku-5-5", HAIKU)),
        ("anthropic/claude-haiku-5-5", Pinned("claude", "claude-haiku-5-5", HAIKU)),
        ("claude/claude-next@20270101", Pinned("claude", "claude-next@20270101", None)),
        (
            "openrouter/deepseek/deepseek-v4.1-flash",
            Pinned("openrouter", "deepseek/deepseek-v4.1-flash", DEEPSEEK),
        ),
        ("openrouter/vendor/model:free", Pinned("openrouter", "vendor/model:free", None)),
        ("openrouter/auto", Pinned("openrouter", "openrouter/auto", None)),
        ("openrouter/openrouter/auto", Pinned("openrouter", "openrouter/auto", None)),
        ("ollama/llama-5", Pinned("ollama", "llama-5", None)),
    ],
)
def test_provider_prefix_pins_a_model_listed_or_not(name: str, target: Pinned) -> None:
    """A provider's name in front pins that model, listed or not."""
    assert CATALOG.resolve(name) == target


def test_listed_openrouter_id_without_a_vendor() -> None:
    """An id that the catalogue lists is taken as it is listed."""
    model = Model("openrouter", "deepseek-chat", "simple", 1, 1)
    assert Catalog([model]).resolve("openrouter/deepseek-chat") == Pinned("openrouter", "deepseek-chat", model)


def test_unique_model_id_needs_no_provider() -> None:
    """An id that exactly one model has needs no provider, even one with a slash in it."""
    assert CATALOG.resolve("claude-haiku-5-5") == Pinned("claude", "claude-haiku-5-5", HAIKU)
    assert CATALOG.resolve("deepseek/deepseek-v4.1-flash") == Pinned("openrouter", DEEPSEEK.name, DEEPSEEK)


def test_ambiguous_bare_id() -> None:
    """An id that two models share is no name; the answer says which full names there are."""
    catalog = Catalog([Model("one", "llama", "simple", 1, 1), Model("two", "llama", "simple", 1, 1)])
    with pytest.raises(ModelNotFound, match="Did you mean one/llama or two/llama"):
        catalog.resolve("llama")


@pytest.mark.parametrize("name", ["old", "older", "gemini-flash"])
def test_alias_resolves_through_other_aliases(name: str) -> None:
    """An alias means what it stands for, through other aliases too."""
    assert CATALOG.resolve(name) == Pinned("gemini", "gemini-3.8-flash", FLASH)
    assert CATALOG.resolve("gpt-4o") == Auto(0.5)


@pytest.mark.parametrize(
    "name",
    [
        "", "gpt-4o-mini", "auto:foo", "AUTO", "gemini", "gemini/", "gemini//x", "gemini/x/", "gemini/..", "gemini/a/../b",
        "gemini/.", "gemini/a b", "gemini/a?key=1", "gemini/a%2f", "gemini/ä", "gemini/a\n", "claude/a#b", "nobody/model",
        "openrouter/~deepseek/deepseek-flash-latest",
    ],
)  # fmt: skip
def test_unknown_name_is_model_not_found(name: str) -> None:
    """Anything else is 404 `model_not_found`: nothing that a client sends can bend a URL."""
    with pytest.raises(ModelNotFound) as caught:
        CATALOG.resolve(name)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")


def test_a_name_of_another_vendor() -> None:
    """Who comes with a name that is in its code is told first what works: `auto`, or an alias for just that name."""
    with pytest.raises(ModelNotFound) as caught:
        CATALOG.resolve("gpt-4o-mini")
    assert caught.value.message.startswith(
        "The model 'gpt-4o-mini' does not exist. Use `auto`, or an alias (`aliases: {gpt-4o-mini: auto}` in gateway.yaml makes one). "
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("claude-haiku-5.5", "claude-haiku-5-5"), ("auto:cheep", "auto:cheap"), ("gemini-flsh", "gemini-flash")],
)
def test_misspelt_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """The answer to a misspelt name offers the nearest ones."""
    with pytest.raises(ModelNotFound, match=f"Did you mean .*{nearest}"):
        CATALOG.resolve(name)


def test_model_id_above_256_characters_is_unknown() -> None:
    """An id of more than 256 characters is none, whoever's prefix it has: matching millions of segments takes gigabytes."""
    catalog = Catalog([FLASH])
    assert catalog.resolve("openrouter/" + "a/" * 127 + "b") == Pinned("openrouter", "a/" * 127 + "b", None)
    with pytest.raises(ModelNotFound):
        catalog.resolve("openrouter/" + "a/" * 128 + "b")


def test_endless_name_is_cut() -> None:
    """A name of a million characters is neither compared in full nor sent back."""
    with pytest.raises(ModelNotFound) as caught:
        CATALOG.resolve("gemini-" * 200_000)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("aliases", "problem"),
    [
        ({"a": "b", "b": "c", "c": "a"}, "circle: a -> b -> c -> a"),
        ({"a": "b", "b": "b"}, "circle: a -> b -> b"),
        ({"gpt": "no-such-model"}, "alias 'gpt': The model 'no-such-model' does not exist"),
        ({"auto": "gemini/x"}, "the gateway's own"),
        ({"auto:cheap": "gemini/x"}, "the gateway's own"),
    ],
)
def test_circular_or_dangling_alias_is_refused(aliases: dict[str, str], problem: str) -> None:
    """An alias that leads nowhere or in a circle, or takes `auto` away, is refused when the catalogue is made."""
    with pytest.raises(ConfigError, match=problem):
        Catalog([FLASH], aliases=aliases)


def test_with_aliases_keeps_the_aliases_of_the_catalogue() -> None:
    """More aliases can be laid over a catalogue; its own and its prefixes stay."""
    catalog = CATALOG.with_aliases({"gpt-5": "gpt-4o", "local": "ollama/llama-5"})
    assert catalog.resolve("gpt-5") == Auto(0.5)
    assert catalog.resolve("local") == Pinned("ollama", "llama-5", None)


def test_names_and_providers() -> None:
    """The catalogue lists `auto` first, then aliases, then full names, in its own order."""
    assert CATALOG.names[:3] == ("auto", "auto:cheap", "auto:balanced")
    assert CATALOG.names[-1] == "openrouter/deepseek/deepseek-v4.1-flash"
    assert CATALOG.providers == ("gemini", "claude", "openrouter")
    assert (len(CATALOG), next(iter(CATALOG)), CATALOG.get("gemini", "x")) == (4, FLASH, None)


def test_estimate_by_prompt_size() -> None:
    """A prompt above a size pays that size's prices for all of its tokens."""
    assert HAIKU.estimate(100_000, 1000) == pytest.approx(0.01 + 0.0005)
    assert HAIKU.estimate(100_001, 1000) == pytest.approx(0.0500005 + 0.0025)


def test_unknown_abilities_exclude_no_model() -> None:
    """A model can do what it is listed with; one whose abilities are unknown is never excluded."""
    assert SONNET.can(["tools"])
    assert not SONNET.can(["tools", "vision"])
    assert FLASH.can(["audio"])


def test_tiers_are_ordered_by_ability() -> None:
    """Tiers are in the order of what they can do."""
    assert [model.rank for model in (FLASH, HAIKU, SONNET)] == [0, 1, 2]


def test_changed_catalogue_keeps_the_rest() -> None:
    """Other models or trade-offs leave names, aliases and providers as they are."""
    fewer = CATALOG.with_models([FLASH])
    assert [model.name for model in fewer] == [FLASH.name]
    assert fewer.resolve("old") == CATALOG.resolve("old")
    bolder = CATALOG.with_tradeoffs({"balanced": 0.9})
    assert bolder.tradeoffs == {"cheap": 0.2, "balanced": 0.9, "quality": 0.8}
    assert bolder.resolve("gpt-4o") == Auto(0.9)
    assert bolder.resolve("ollama/llama-5") == CATALOG.resolve("ollama/llama-5")
