"""When Python looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def not_collected() -> Generator[None]:
    """For imports: nearly all that they make stays, and looking through it a hundred times is a sixth of what they
    take. They are looked through once, at the end: the memory of classes that others have replaced is for what comes
    next."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        if was_enabled:
            gc.enable()
