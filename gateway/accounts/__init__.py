"""Virtual keys and budgets: values and rules; the store keeps them."""
