"""Whether answers of different models to one request can be compared, and whether they are the same. By rules, never by a model."""
