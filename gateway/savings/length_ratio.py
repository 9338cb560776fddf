"""How many tokens another model would have needed for the same request, as a ratio with a 95 % interval.

Models differ in tokenizer, verbosity and hidden reasoning. The ratio of two models is learned from the answers in the ledger. The
router sends harder prompts to stronger models, so answers are compared only within a stratum: one pattern and one band of
complexity. With n, mean m and coefficient of variation c of the output tokens of models a and b in each stratum k, the ratio is
standardized to the requests that a answered:

    d = log(sum n_a[k] m_b[k]) - log(sum n_a[k] m_a[k])

Its variance follows from the delta method, (c m)^2 / n for each mean (the log response ratio: Hedges, Gurevitch and Curtis,
Ecology 80, 1999, https://doi.org/10.1890/0012-9658(1999)080[1150:TMAORR]2.0.CO;2). Where data is thin the estimate is shrunk to the
prior, with precisions as weights (normal with known variance: Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.5):

    log ratio of the pair in other patterns   prior N(0, PAIR_SD^2)
    log ratio of the pair in this pattern     prior N(the line above, its variance + PATTERN_SD^2)

Prompt tokens are counted by each tokenizer. There the mean of log(tokens / the gateway's own estimate) takes the place of log m,
and the prior is N(0, TOKENIZER_SD^2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.catalog.catalog import ModelKey

# One model writes up to twice as much as another, or half, in two of three pairs: without data the 95 % interval is a quarter to four times.
PAIR_SD = math.log(2)
PATTERN_SD = 0.25
# A new tokenizer counts up to 1.35 times the tokens of its predecessor: https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7
TOKENIZER_SD = math.log(1.35) / 2
Z95 = 1.96

# Output lengths of one model vary about as much as their mean; this counts like so many answers.
_PRIOR_VARIATION, _PRIOR_WEIGHT = 1.0, 4.0
_PRIOR_NOISE = 0.04  # the same for the variance of log(tokens / estimate)
# A stratum with this many answers forgets half of them, so that a changed model is noticed and the interval stays above zero.
MOST_ANSWERS = 4_000.0
CAPACITY = 1_000
_BANDS = (0.3, 0.7)  # the rule's own limits of complexity


class AnswerLength(NamedTuple):
    """Tokens of one answered request; `estimated_tokens` is the gateway's own count of the prompt, None where it is not stored."""

    key: ModelKey
    pattern: str
    complexity: float
    output_tokens: int
    input_tokens: int | None = None
    estimated_tokens: float | None = None


class Ratio(NamedTuple):
    """Tokens of the other model per token of the answering one: the estimate and its 95 % interval."""

    low: float
    middle: float
    high: float


SAME = Ratio(1.0, 1.0, 1.0)


class LengthRatios:
    """Learns in one thread, answers in another: `ratios` is replaced as a whole.

    At most `capacity` strata, as many models in each, and as many computed ratios are kept.
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._strata: dict[tuple[str, int], dict[ModelKey, _Moments]] = {}
        self.ratios = RatioTable({}, capacity=capacity)

    def learn(self, answers: Iterable[AnswerLength]) -> None:
        for answer in answers:
            self._add(answer)

    def publish(self) -> None:
        """Make what was learned known. The ratios that were asked for are computed here, not at the next request."""
        copied = {stratum: {key: m.copy() for key, m in models.items()} for stratum, models in self._strata.items()}
        table = RatioTable(copied, capacity=self._capacity)
        table.compute(self.ratios.asked)
        self.ratios = table

    def _add(self, answer: AnswerLength) -> None:
        stratum = (answer.pattern, sum(answer.complexity >= limit for limit in _BANDS))
        models = self._strata.get(stratum)
        if models is None:
            if len(self._strata) >= self._capacity:
                return
            models = self._strata[stratum] = {}
        moments = models.get(answer.key)
        if moments is None:
            if len(models) >= self._capacity:
                return
            moments = models[answer.key] = _Moments()
        moments.add(answer)


class RatioTable:
    """The ratios at one time; each is computed when it is first asked for."""

    def __init__(self, strata: dict[tuple[str, int], dict[ModelKey, _Moments]], *, capacity: int = CAPACITY) -> None:
        self._strata = strata
        self._capacity = capacity
        self._ratios: dict[tuple[ModelKey, ModelKey, str], tuple[Ratio, Ratio]] = {}

    @property
    def asked(self) -> Sequence[tuple[ModelKey, ModelKey, str]]:
        """The answering model, the other model and the pattern of each ratio that was computed."""
        return list(self._ratios)

    def compute(self, asked: Iterable[tuple[ModelKey, ModelKey, str]]) -> None:
        for selected, other, pattern in asked:
            self.of(selected, other, pattern=pattern)

    def of(self, selected: ModelKey, other: ModelKey, *, pattern: str) -> tuple[Ratio, Ratio]:
        """The ratios of the prompt's and of the completion's tokens."""
        if selected == other:
            return SAME, SAME
        key = (selected, other, pattern)
        ratios = self._ratios.get(key)
        if ratios is None:
            ratios = self._prompt(selected, other), self._completion(selected, other, pattern=pattern)
            if len(self._ratios) < self._capacity:
                self._ratios[key] = ratios
        return ratios

    def _completion(self, selected: ModelKey, other: ModelKey, *, pattern: str) -> Ratio:
        elsewhere: list[tuple[_Moments, _Moments]] = []
        here: list[tuple[_Moments, _Moments]] = []
        for (name, _), models in self._strata.items():
            if selected in models and other in models:
                (here if name == pattern else elsewhere).append((models[selected], models[other]))
        variation = self._variation(selected), self._variation(other)
        mean, variance = _shrunk(_log_ratio_of_means(elsewhere, variation), mean=0.0, variance=PAIR_SD**2)
        own = _log_ratio_of_means(here, variation)
        return _ratio(*_shrunk(own, mean=mean, variance=variance + PATTERN_SD**2 if elsewhere else variance))

    def _variation(self, key: ModelKey) -> float:
        """The squared coefficient of variation of a model's output tokens within a stratum, pooled."""
        total, weight = _PRIOR_VARIATION * _PRIOR_WEIGHT, _PRIOR_WEIGHT
        for models in self._strata.values():
            if (moments := models.get(key)) is not None and moments.count > 1:
                total += moments.spread / moments.mean**2
                weight += moments.count - 1
        return total / weight

    def _prompt(self, selected: ModelKey, other: ModelKey) -> Ratio:
        pairs = [
            (models[selected], models[other])
            for models in self._strata.values()
            if selected in models and other in models and models[selected].prompts and models[other].prompts
        ]
        return _ratio(*_shrunk(_mean_difference(pairs), mean=0.0, variance=TOKENIZER_SD**2))


class _Moments:
    """Counts and sums of one model's answers in one stratum."""

    __slots__ = ("count", "log_squares", "log_total", "prompts", "squares", "total")

    def __init__(self) -> None:
        self.count = self.total = self.squares = 0.0
        self.prompts = self.log_total = self.log_squares = 0.0

    def copy(self) -> _Moments:
        other = _Moments()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def add(self, answer: AnswerLength) -> None:
        if self.count >= MOST_ANSWERS:
            for name in self.__slots__:
                setattr(self, name, getattr(self, name) / 2)
        tokens = max(1, answer.output_tokens)  # an empty answer has no logarithm
        self.count += 1
        self.total += tokens
        self.squares += tokens * tokens
        if answer.input_tokens and answer.estimated_tokens:
            log = math.log(answer.input_tokens / answer.estimated_tokens)
            self.prompts += 1
            self.log_total += log
            self.log_squares += log * log

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def spread(self) -> float:
        """Sum of squared deviations from the mean."""
        return max(0.0, self.squares - self.total * self.mean)

    @property
    def log_mean(self) -> float:
        return self.log_total / self.prompts

    @property
    def log_variance(self) -> float:
        spread = max(0.0, self.log_squares - self.log_total * self.log_mean)
        return (spread + _PRIOR_NOISE * _PRIOR_WEIGHT) / (self.prompts - 1 + _PRIOR_WEIGHT)


_Pairs = Sequence[tuple[_Moments, _Moments]]  # the answering model's moments and the other model's, by stratum


def _log_ratio_of_means(pairs: _Pairs, variation: tuple[float, float]) -> tuple[float, float] | None:
    """The standardized log ratio and its variance; None without a stratum that both models have answered."""
    if not pairs:
        return None
    selected = sum(a.count * a.mean for a, _ in pairs)
    other = sum(a.count * b.mean for a, b in pairs)
    variance = sum((a.count * a.mean / selected) ** 2 * variation[0] / a.count for a, _ in pairs)
    variance += sum((a.count * b.mean / other) ** 2 * variation[1] / b.count for a, b in pairs)
    return math.log(other / selected), variance


def _mean_difference(pairs: _Pairs) -> tuple[float, float] | None:
    """The standardized difference of the means of log(tokens / estimate) and its variance."""
    weight = sum(a.prompts for a, _ in pairs)
    if not weight:
        return None
    difference = sum(a.prompts * (b.log_mean - a.log_mean) for a, b in pairs) / weight
    variance = sum(
        (a.prompts / weight) ** 2 * (a.log_variance / a.prompts + b.log_variance / b.prompts) for a, b in pairs
    )
    return difference, variance


def _shrunk(measured: tuple[float, float] | None, *, mean: float, variance: float) -> tuple[float, float]:
    """Mean and variance of the posterior of a normal mean."""
    if measured is None:
        return mean, variance
    value, noise = measured
    weight = variance / (variance + noise)
    return mean + weight * (value - mean), noise * weight


def _ratio(mean: float, variance: float) -> Ratio:
    half = Z95 * math.sqrt(variance)
    return Ratio(math.exp(mean - half), math.exp(mean), math.exp(mean + half))
