"""Virtual keys, budgets and the weight of their labels: values and rules. The store persists them."""
