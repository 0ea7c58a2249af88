"""Which threads are a database's own. What runs there must not wait for a node: the node may wait for that thread."""

from __future__ import annotations

import threading

_this = threading.local()


def enter() -> None:
    """This thread is a database's from now on."""
    _this.is_of_a_database = True


def in_own_thread() -> bool:
    """Whether functions of transactions and reads run in this thread."""
    return getattr(_this, "is_of_a_database", False)
