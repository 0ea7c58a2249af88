"""What a process that decodes pictures gives up: privileges, the network, other files, memory and time.

Imports nothing but the standard library: it runs in the child.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress

MIB = 1 << 20
MEMORY_BYTES = 512 * MIB
CPU_SECONDS = 10
WRITTEN_BYTES = 32 * MIB
NICENESS = 10

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_FIRST = 3
"""The number of the first descriptor after standard input, output and error."""


def confine_server() -> bool:
    """Confine the process that jobs are forked from, which must have one thread. Jobs inherit it.

    Returns whether the kernel allowed an empty user namespace with no network. In it, the process has no rights over
    the node's own process.
    """
    os.nice(NICENESS)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")  # if memory runs out, this and not the node
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0


def confine_job(server: int, descriptors: Sequence[int]) -> list[int]:
    """Confine a job, just forked by the process `server`. Returns the new numbers of its descriptors.

    All others are closed, and no more can be opened: every number below the limit is taken. So everything that the job
    needs must have been imported.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:  # it died before the call
        os._exit(1)
    kept = _move_together(descriptors)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),  # no effect on root
        (resource.RLIMIT_NOFILE, _FIRST + len(kept)),
    ):
        resource.setrlimit(limit, (value, value))
    return kept


def _move_together(descriptors: Sequence[int]) -> list[int]:
    """Give the descriptors the first free numbers, and close all others. Standard error becomes standard output."""
    os.dup2(1, 2)
    above = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 64) for descriptor in descriptors]
    kept = [os.dup2(descriptor, _FIRST + index) for index, descriptor in enumerate(above)]
    os.closerange(_FIRST + len(kept), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return kept
