"""What the baseline would have cost, how sure that is, and where cached prompts were lost. Pure: values in, values out."""

from gateway.savings.baseline_total import BaselineGroup, total_interval
from gateway.savings.ledger_report import ReportQuery, ledger_report
from gateway.savings.period import moment
from gateway.savings.quality import Label
from gateway.savings.report import NOT_ROUTED, Refusal, ReportGroup, breakdown, build_report

__all__ = [
    "NOT_ROUTED",
    "BaselineGroup",
    "Label",
    "Refusal",
    "ReportGroup",
    "ReportQuery",
    "breakdown",
    "build_report",
    "ledger_report",
    "moment",
    "total_interval",
]
