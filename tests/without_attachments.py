"""The plugins that come with chatnode but for attachments, which refuses files that it does not store itself: for tests
of what the core does with files that are elsewhere.
"""

from __future__ import annotations

import chatnode_contacts
import chatnode_reactions
import pytest

PLUGINS = (chatnode_contacts, chatnode_reactions)


@pytest.fixture
def only_plugins() -> tuple[object, ...]:
    return PLUGINS
