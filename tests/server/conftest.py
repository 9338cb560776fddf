"""The fixtures of the command line, for tests of the processes that it starts."""

from tests.cli.conftest import db, invoke, start

__all__ = ["db", "invoke", "start"]
