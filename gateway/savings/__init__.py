"""What the baseline would have cost, how sure that is, and where cached prompts were lost."""

from gateway.savings.baseline_note import odd_baseline
from gateway.savings.baseline_total import BaselineGroup, total_interval
from gateway.savings.cache_miss import CacheLoss, CacheMiss, cache_loss, cache_miss
from gateway.savings.conversation_prefix import (
    FIRST,
    LIFETIME,
    ConversationPrefixes,
    Prefix,
    Turn,
    breakpoint_lifetime,
    digest_of,
    message_hashes,
    unremembered,
)
from gateway.savings.counterfactual import (
    CacheRules,
    CostRange,
    Lengths,
    baseline_usage,
    price_baseline,
    stored_usage,
    usage_of_baseline,
)
from gateway.savings.ledger_report import ReportQuery, ledger_report
from gateway.savings.length_ratio import AnswerLength, LengthRatios, Ratio
from gateway.savings.period import moment
from gateway.savings.quality import Label
from gateway.savings.report import NOT_ROUTED, Refusal, breakdown, build_report
from gateway.savings.report_group import ReportGroup

__all__ = [
    "FIRST",
    "LIFETIME",
    "NOT_ROUTED",
    "AnswerLength",
    "BaselineGroup",
    "CacheLoss",
    "CacheMiss",
    "CacheRules",
    "ConversationPrefixes",
    "CostRange",
    "Label",
    "LengthRatios",
    "Lengths",
    "Prefix",
    "Ratio",
    "Refusal",
    "ReportGroup",
    "ReportQuery",
    "Turn",
    "baseline_usage",
    "breakdown",
    "breakpoint_lifetime",
    "build_report",
    "cache_loss",
    "cache_miss",
    "digest_of",
    "ledger_report",
    "message_hashes",
    "moment",
    "odd_baseline",
    "price_baseline",
    "stored_usage",
    "total_interval",
    "unremembered",
    "usage_of_baseline",
]
