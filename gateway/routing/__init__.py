"""Chooses the model of each request, from the request and from the outcomes of earlier ones.

Other packages import from here and nothing deeper.
"""

from gateway.catalog.catalog import Catalog, Model
from gateway.errors import NoRoute, RoutingError
from gateway.routing.comparison.answers import Comparison, comparable_part, compare
from gateway.routing.comparison.comparable import AnswerKind, comparable_kind
from gateway.routing.engine import RoutingEngine
from gateway.routing.estimation.agreement import with_derived_label
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.feedback.answer_facts import AnswerCollector, answer_of
from gateway.routing.feedback.corroboration import Corroboration, KeysPerModel, keys_per_model
from gateway.routing.feedback.format_check import Validity, check_format
from gateway.routing.feedback.implicit_feedback import ImplicitFeedback, PromptTurn
from gateway.routing.feedback.labels import FAILED_VALIDATION, UPSTREAM_ERROR, AnswerFacts, Label, label_of
from gateway.routing.holdback import Holdback, HoldbackSpending
from gateway.routing.metrics import MetricsCollector
from gateway.routing.plan import Caller, Plan
from gateway.routing.planner import Planner
from gateway.routing.prompt.complexity import score_complexity
from gateway.routing.prompt.context import context_of, input_tokens_of, prompt_tokens_of, with_prompt_tokens
from gateway.routing.prompt.features import RecentPrompts
from gateway.routing.prompt.user_text import is_new_turn, last_user_text
from gateway.routing.quality_floor import QualityEvidence, QualityFloor, QualityFloorFailure
from gateway.routing.refresh_loop import Refresh, RefreshLoop
from gateway.routing.sessions.affinity import SessionAffinity, SessionLookup
from gateway.routing.sessions.host_affinity import HostAffinity
from gateway.routing.sessions.prompt_caching import CacheBreakpoints, PromptCaching, with_breakpoints
from gateway.routing.spending_limits import PricedOption, Reservation, SpendingLimits
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.complexity import ComplexityStrategy, usual_models
from gateway.routing.strategies.hybrid import HybridStrategy
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.strategies.ranking import POLICY_VERSION, Ranking
from gateway.routing.strategies.scored_models import ScoredModel
from gateway.routing.types import Outcome, RoutingContext, RoutingDecision, RoutingMode, RoutingStrategy

__all__ = [
    "FAILED_VALIDATION",
    "POLICY_VERSION",
    "UPSTREAM_ERROR",
    "AnswerCollector",
    "AnswerFacts",
    "AnswerKind",
    "CacheBreakpoints",
    "Caller",
    "Catalog",
    "Comparison",
    "ComplexityStrategy",
    "Corroboration",
    "Holdback",
    "HoldbackSpending",
    "HostAffinity",
    "HybridStrategy",
    "ImplicitFeedback",
    "KeysPerModel",
    "Label",
    "LearningStrategy",
    "MetricsCollector",
    "Model",
    "NoRoute",
    "Outcome",
    "Pause",
    "Plan",
    "Planner",
    "PricedOption",
    "PromptCaching",
    "PromptTurn",
    "QualityEvidence",
    "QualityFloor",
    "QualityFloorFailure",
    "QueryPatternAnalyzer",
    "Ranking",
    "RecentPrompts",
    "Refresh",
    "RefreshLoop",
    "Reservation",
    "RoutingContext",
    "RoutingDecision",
    "RoutingEngine",
    "RoutingError",
    "RoutingMode",
    "RoutingStrategy",
    "ScoredModel",
    "SessionAffinity",
    "SessionLookup",
    "SpendingLimits",
    "Validity",
    "answer_of",
    "check_format",
    "comparable_kind",
    "comparable_part",
    "compare",
    "context_of",
    "input_tokens_of",
    "is_new_turn",
    "keys_per_model",
    "label_of",
    "last_user_text",
    "no_pause",
    "prompt_tokens_of",
    "score_complexity",
    "usual_models",
    "with_breakpoints",
    "with_derived_label",
    "with_prompt_tokens",
]
