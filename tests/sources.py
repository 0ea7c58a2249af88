"""The project's own code, for the tests that read it."""

from __future__ import annotations

import ast

from chatnode.garbage import not_collected


def parsed(source: str) -> ast.Module:
    """A tree has no circles, and looking for some while it grows takes twice as long as making it."""
    with not_collected():
        return ast.parse(source)
