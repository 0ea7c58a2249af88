"""A minimal CRM: contacts with fields that users define, segments, and a page with a form."""

from __future__ import annotations

from chatnode.api import CHAT, Page, Permission, Plugin, PluginRole, hookimpl, steps_in
from chatnode_crm import page
from chatnode_crm.commands import COMMANDS
from chatnode_crm.contacts import CONTACTS, READ, WRITE


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration. The role is for users who work with contacts and need no other permissions."""
    return Plugin(
        name="crm",
        version="1.0",
        api="2.0",
        about="Contacts with fields of your own, and segments of them.",
        steps=steps_in("chatnode_crm"),
        permissions=(
            Permission(READ, "see contacts", roles=()),
            Permission(WRITE, "add contacts, their fields and segments", roles=()),
        ),
        roles=(PluginRole("crm-agent", (CHAT, READ, WRITE)),),
        commands=COMMANDS,
        collections=(CONTACTS,),
        pages=(Page("", "Contacts", page.render, WRITE, page.submit),),
    )
