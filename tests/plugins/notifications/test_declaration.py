"""The plugin's declaration."""

from __future__ import annotations

import chatnode_notifications

from chatnode.testing import check_plugin


def test_it_is_complete() -> None:
    check_plugin(chatnode_notifications)
