.PHONY: run test lint soak clients bench bench-short lock sbom clean

# `make run` and `make test` need Python >= 3.11 and nothing else: each creates its own virtual environment first.
run: .venv/run.stamp
	scripts/run

# Lint, types, layers and all tests; what CI runs.
test: .venv/dev.stamp
	scripts/check

# Format, style, types and layers only. Changes no file.
lint: .venv/dev.stamp
	scripts/lint

# Kills under load, bursts of requests, thousands of streams, replicas on PostgreSQL: about eight minutes, on loopback.
# With SOAK_REAL_TIME=1 the long stream takes twelve minutes.
soak: .venv/dev.stamp
	scripts/soak

# Claude Code, Codex, the Vercel AI SDK and agent frameworks against the demo. Installs them from the registries (npm, pip) first.
clients: .venv/dev.stamp
	.venv/bin/python -m tests.clients

.venv/run.stamp: requirements.txt requirements-build.txt pyproject.toml
	scripts/install run

.venv/dev.stamp: requirements-dev.txt requirements-build.txt pyproject.toml
	scripts/install dev

# Speed compared with the stored baseline: one minute, or the parts alone in seconds. See docs/performance.md.
bench: .venv/dev.stamp
	.venv/bin/python -m benchmarks.speed

bench-short: .venv/dev.stamp
	.venv/bin/python -m benchmarks.speed --short

# Write the locked requirements again from pyproject.toml.
lock:
	scripts/lock

# Print the software bill of materials (CycloneDX).
sbom: .venv/run.stamp
	.venv/bin/python scripts/sbom

clean:
	rm -rf .venv
