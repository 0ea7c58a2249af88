"""Decides from what clients saw whether a node kept its promises; knows nothing of the node's code."""

from .check import Violation, check
from .history import History, Record

__all__ = ["History", "Record", "Violation", "check"]
