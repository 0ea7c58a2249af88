"""chatnode: a chat server in one process."""

__version__ = "0.1.0"
