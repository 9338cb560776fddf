"""The ledger in PostgreSQL, shared by several replicas. Needs the extra `postgres`; only `gateway.store.postgres.store` is imported from outside."""
