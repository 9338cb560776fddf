"""Several worker processes behind one port: started, sent every signal, and replaced when they die.

The first process only opens the sockets and supervises the processes that it forks: it has no thread, no event loop and no open
ledger. Each worker is a complete gateway: all drain at once after a signal, and each reloads the configuration by itself. The
writer process, where there is one, begins before them and ends after them.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Literal, NamedTuple

log = logging.getLogger(__name__)

FAILED_START = 3  # the exit status of a worker that never served: another one would not either
PAUSE = 1.0  # seconds before a process that ran shorter than this is replaced
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Kind = Literal["worker", "writer"]


class RunningProcess(NamedTuple):
    """A process that `began` at a monotonic time."""

    kind: Kind
    began: float


class Workers:
    """`work` runs a worker until it ends, `write` the process that writes the ledger for all of them, if there is one.

    `at_end` is called once the workers were sent the signal to end. The other arguments are the operating system's, for tests to
    replace; `clock` is monotonic seconds.
    """

    def __init__(
        self,
        work: Callable[[], None],
        *,
        count: int,
        write: Callable[[], None] | None = None,
        at_end: Callable[[], None] = lambda: None,
        fork: Callable[[], int] = os.fork,
        wait: Callable[[], tuple[int, int]] = os.wait,
        kill: Callable[[int, int], None] = os.kill,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._work = work
        self._write = write
        self._count = count
        self._at_end = at_end
        self._fork = fork
        self._wait = wait
        self._kill = kill
        self._clock = clock
        self._sleep = sleep
        self._running: dict[int, RunningProcess] = {}
        self._ending = False

    def run(self) -> int:
        """Supervise until all processes have ended after a signal. Returns the exit status, 0 when all of theirs were; in a forked
        process, returns at its end."""
        for number in _PASSED_ON:
            signal.signal(number, self.pass_on)
        if self._write is not None and self._start("writer"):
            return 0
        for _ in range(self._count):
            if self._start("worker"):
                return 0
        status = 0
        while self._running:
            self._end_writer()
            pid, how = self._wait()
            code = os.waitstatus_to_exitcode(how)
            kind, began = self._running.pop(pid)
            if code == FAILED_START:
                self.pass_on(signal.SIGTERM)
            if not self._is_needed(kind):
                status = status or code
                continue
            log.error("a %s (process %s) has ended with %s; another one takes its place", kind, pid, code)
            if self._clock() - began < PAUSE:
                self._sleep(PAUSE)
            if self._start(kind):
                return 0
        return abs(status)

    def pass_on(self, sig: int, frame: FrameType | None = None) -> None:
        """Send the signal to every worker. After any signal but SIGHUP workers that end are not replaced."""
        if sig != signal.SIGHUP:
            self._ending = True
            self._at_end()
        for pid in self._running_workers():
            self._kill(pid, sig)

    def _running_workers(self) -> list[int]:
        return [pid for pid, process in self._running.items() if process.kind == "worker"]

    def _is_needed(self, kind: Kind) -> bool:
        """Whether a process that has ended is replaced. Workers that are ending still write."""
        return not self._ending or (kind == "writer" and bool(self._running_workers()))

    def _end_writer(self) -> None:
        """When the last worker has ended, the writer process may."""
        if self._ending and not self._running_workers():
            for pid in self._running:
                self._kill(pid, signal.SIGTERM)

    def _start(self, kind: Kind) -> bool:
        """Fork; returns True in the forked process, at its end. No signal may arrive between the fork and the registration of the
        process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        needed = self._is_needed(kind)
        if not needed or (pid := self._fork()):
            if needed:
                self._running[pid] = RunningProcess(kind, self._clock())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            return False
        self._running.clear()
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)  # a terminal's Ctrl-C reaches the first process alone, which passes it on once
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        if kind == "worker":
            self._work()
        elif self._write is not None:
            self._write()
        return True
