"""Several worker processes behind one port: started, sent every signal, and replaced when they die.

The first process only opens the sockets and supervises the workers that it forks: it has no thread, no event loop and no open
ledger. Each worker is a complete gateway: all drain at once after a signal, and each reloads the configuration by itself.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

log = logging.getLogger(__name__)

FAILED_START = 3  # the exit status of a worker that never served: another one would not either
PAUSE = 1.0  # seconds before a worker that ran shorter than this is replaced
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Workers:
    """`work` runs a worker until it ends; `at_end` is called once the workers were sent the signal to end.

    The other arguments are the operating system's, for tests to replace; `clock` is monotonic seconds.
    """

    def __init__(
        self,
        work: Callable[[], None],
        *,
        count: int,
        at_end: Callable[[], None] = lambda: None,
        fork: Callable[[], int] = os.fork,
        wait: Callable[[], tuple[int, int]] = os.wait,
        kill: Callable[[int, int], None] = os.kill,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._work = work
        self._count = count
        self._at_end = at_end
        self._fork = fork
        self._wait = wait
        self._kill = kill
        self._clock = clock
        self._sleep = sleep
        self._began: dict[int, float] = {}
        self._ending = False

    def run(self) -> int:
        """Supervise until all workers have ended after a signal. Returns the exit status, 0 when all of theirs were; in a worker, returns at its end."""
        for number in _PASSED_ON:
            signal.signal(number, self.pass_on)
        status = 0
        for _ in range(self._count):
            if self._start():
                return 0
        while self._began:
            pid, how = self._wait()
            code = os.waitstatus_to_exitcode(how)
            lived = self._clock() - self._began.pop(pid)
            if code == FAILED_START:
                self.pass_on(signal.SIGTERM)
            if self._ending:
                status = status or code
                continue
            log.error("a worker (process %s) has ended with %s; another one takes its place", pid, code)
            if lived < PAUSE:
                self._sleep(PAUSE)
            if self._start():
                return 0
        return abs(status)

    def pass_on(self, sig: int, frame: FrameType | None = None) -> None:
        """Send the signal to every worker. After any signal but SIGHUP workers that end are not replaced."""
        if sig != signal.SIGHUP:
            self._ending = True
            self._at_end()
        for pid in tuple(self._began):
            self._kill(pid, sig)

    def _start(self) -> bool:
        """Fork; returns True in the worker, at its end. No signal may arrive between the fork and the registration of the
        worker."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        if self._ending or (pid := self._fork()):
            if not self._ending:
                self._began[pid] = self._clock()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            return False
        self._began.clear()
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)  # a terminal's Ctrl-C reaches the first process alone, which passes it on once
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        self._work()
        return True
