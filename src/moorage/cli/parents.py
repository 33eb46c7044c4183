"""A process that does not outlive the one that started it."""

import ctypes
import multiprocessing
import os
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have this process told to end (SIGTERM) when the one that started it is gone, killed or not (PR_SET_PDEATHSIG(2const))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent and os.getppid() != parent.pid:  # it has gone already
        os.kill(os.getpid(), signal.SIGTERM)
