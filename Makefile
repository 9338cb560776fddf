.PHONY: run test bench bench-short check lock sbom clean

# `make run` and `make test` need Python >= 3.11 and nothing else: each makes its own virtual environment first.
run: .venv/run.stamp
	scripts/run

test: .venv/dev.stamp
	scripts/check

# Kills under load, crowds, thousands of streams: about five minutes, on loopback. With SOAK_REAL_TIME=1 the long stream
# takes its twelve minutes.
soak: .venv/dev.stamp
	scripts/soak

.venv/run.stamp: requirements.txt requirements-build.txt pyproject.toml
	scripts/install run

.venv/dev.stamp: requirements-dev.txt requirements-build.txt pyproject.toml
	scripts/install dev

# How fast it is, beside the baseline: in a minute, or the parts alone in seconds. See docs/performance.md.
bench: .venv/dev.stamp
	.venv/bin/python -m benchmarks.speed

bench-short: .venv/dev.stamp
	.venv/bin/python -m benchmarks.speed --short

lock:
	scripts/lock

sbom: .venv/run.stamp
	.venv/bin/python scripts/sbom

clean:
	rm -rf .venv
