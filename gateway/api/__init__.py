"""HTTP endpoints: parse, authorize, call, serialize."""
