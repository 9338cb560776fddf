"""Models, their names and prices, and the cost of usage."""

from gateway.catalog.catalog import Auto, Catalog, Model, ModelKey, Pinned
from gateway.catalog.cost import Price, Rate, cost, nano_dollars, worst_case
from gateway.catalog.plain_decimals import plain_decimal, plain_number, plain_numbers, usd_text
from gateway.catalog.price_table import PriceTable

__all__ = [
    "Auto",
    "Catalog",
    "Model",
    "ModelKey",
    "Pinned",
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
