"""What the baseline would have cost, how sure that is, and where cached prompts were lost. Pure: values in, values out."""

from gateway.savings.baseline_total import BaselineGroup, total_interval

__all__ = ["BaselineGroup", "total_interval"]
