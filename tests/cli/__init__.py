"""The `chatnode` command, on a node that serves and on a directory that nobody holds."""
