"""Every command there is: the node's own, and those of the plugins that come with it, which every test node has."""

from __future__ import annotations

from typing import Any

import chatnode_attachments
import chatnode_contacts
import chatnode_crm
import chatnode_notifications
import chatnode_previews
import chatnode_reactions
import chatnode_webhooks

from chatnode import services
from chatnode.dispatch.table import Command
from chatnode.hooks.plugin import Plugin
from chatnode.model.permissions import ROLES

PLUGINS: tuple[Plugin, ...] = (
    chatnode_attachments.chatnode_plugin(),
    chatnode_contacts.chatnode_plugin(),
    chatnode_crm.chatnode_plugin(),
    chatnode_notifications.chatnode_plugin(),
    chatnode_previews.chatnode_plugin(),
    chatnode_reactions.chatnode_plugin(),
    chatnode_webhooks.chatnode_plugin(),
)
COMMANDS: tuple[Command[Any, Any], ...] = (
    *services.COMMANDS,
    *(command for plugin in PLUGINS for command in plugin.commands),
)
#: The commands by what they are about, which is the first word of their names.
SUBJECTS: dict[str, list[Command[Any, Any]]] = {}
for _command in COMMANDS:
    SUBJECTS.setdefault(_command.name.partition(".")[0], []).append(_command)
#: What each role of a new node may do.
ROLES_WITH_PLUGINS: dict[str, frozenset[str]] = {
    role: permissions
    | {each.name for plugin in PLUGINS for each in plugin.permissions if role in (*each.roles, "admin")}
    for role, permissions in ROLES.items()
}
