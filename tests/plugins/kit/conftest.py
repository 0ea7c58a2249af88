"""Here people are there, as for whoever writes a plugin: `ann` and `bob` hear what happens."""

from __future__ import annotations

from chatnode.testing import ann, bob, eve

__all__ = ["ann", "bob", "eve"]
