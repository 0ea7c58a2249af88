"""Descriptors that a forked child must not hold: with it, a lock or a connection would outlive its process."""

from __future__ import annotations

import os

_kept: set[int] = set()  # of the process, as descriptors are


def keep_from_children(descriptor: int) -> None:
    """From now on a child of `os.fork` finds this descriptor closed; call `forget` before closing it."""
    _kept.add(descriptor)


def forget(descriptor: int) -> None:
    _kept.discard(descriptor)


def _in_child() -> None:
    if not _kept:
        return
    # The number stays taken: objects of the parent's that hold it may still close it in the child.
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in _kept - {nothing}:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)
    _kept.clear()


os.register_at_fork(after_in_child=_in_child)
