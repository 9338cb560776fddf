"""What the baseline would have cost, how sure that is, and where cached prompts were lost. Pure: values in, values out."""

from gateway.savings.baseline_total import BaselineGroup, total_interval
from gateway.savings.ledger_report import ReportQuery, ledger_report
from gateway.savings.period import moment

__all__ = ["BaselineGroup", "ReportQuery", "ledger_report", "moment", "total_interval"]
