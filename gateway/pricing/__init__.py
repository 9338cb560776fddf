"""What an answer costs: usage times the prices in force at the time of the request."""

from gateway.pricing.cost import Price, Rate, cost, nano_dollars, worst_case
from gateway.pricing.plain import plain_decimal, plain_number, plain_numbers, usd_text
from gateway.pricing.table import PriceTable

__all__ = [
    "Price",
    "PriceTable",
    "Rate",
    "cost",
    "nano_dollars",
    "plain_decimal",
    "plain_number",
    "plain_numbers",
    "usd_text",
    "worst_case",
]
