"""Which model answers a request, decided from what the request is and from what came of earlier ones."""

from gateway.catalog.catalog import Catalog, Model
from gateway.errors import NoRoute, RoutingError
from gateway.routing.engine import RoutingEngine
from gateway.routing.metrics import MetricsCollector
from gateway.routing.prompt.complexity import score_complexity
from gateway.routing.prompt.context import context_of
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.hybrid import HybridStrategy
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.types import Outcome, RoutingContext, RoutingDecision, RoutingStrategy

__all__ = [
    "Catalog",
    "ComplexityStrategy",
    "HybridStrategy",
    "LearningStrategy",
    "MetricsCollector",
    "Model",
    "NoRoute",
    "Outcome",
    "QueryPatternAnalyzer",
    "RoutingContext",
    "RoutingDecision",
    "RoutingEngine",
    "RoutingError",
    "RoutingStrategy",
    "context_of",
    "score_complexity",
]
