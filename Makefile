.PHONY: run test check lock clean

# `make run` and `make test` need Python >= 3.11 and nothing else: each makes its own virtual environment first.
run: .venv/run.stamp
	scripts/run

test: .venv/dev.stamp
	scripts/check

.venv/run.stamp: requirements.txt requirements-build.txt pyproject.toml
	scripts/install run

.venv/dev.stamp: requirements-dev.txt requirements-build.txt pyproject.toml
	scripts/install dev

lock:
	scripts/lock

clean:
	rm -rf .venv
