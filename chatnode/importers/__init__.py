"""Readers of foreign archives: pure, synchronous, and without any knowledge of the node.

Each gives a `Source` of conversations and messages in the common form of `items`. To add a kind of
archive, write a module with one class that is a `Source`, and name it here.
"""

from chatnode.importers.converting import Converted, Converter
from chatnode.importers.irc import IrcLog
from chatnode.importers.items import ImportedConversation, ImportedMessage, Problem, Source, Threads, left_out
from chatnode.importers.zulip import ZulipArchive

__all__ = [
    "Converted",
    "Converter",
    "ImportedConversation",
    "ImportedMessage",
    "IrcLog",
    "Problem",
    "Source",
    "Threads",
    "ZulipArchive",
    "left_out",
]
