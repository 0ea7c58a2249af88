"""These tests post files that are elsewhere."""

from __future__ import annotations

from tests.without_attachments import only_plugins as only_plugins
