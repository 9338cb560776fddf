"""Which model answers a request, decided from what the request is and from what came of earlier ones."""

from gateway.catalog import Catalog, Model
from gateway.errors import NoRoute, RoutingError
from gateway.routing.analyzer import QueryPatternAnalyzer
from gateway.routing.complexity import score_complexity
from gateway.routing.complexity_strategy import ComplexityStrategy
from gateway.routing.engine import RoutingEngine
from gateway.routing.hybrid_strategy import HybridStrategy
from gateway.routing.learning_strategy import LearningStrategy
from gateway.routing.metrics import MetricsCollector
from gateway.routing.models import Outcome, RoutingContext, RoutingDecision, RoutingStrategy
from gateway.routing.request import context_of

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
