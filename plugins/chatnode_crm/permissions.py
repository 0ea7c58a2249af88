"""The permissions, and the roles that the plugin offers.

They are those that contacts services usually have, under the plugin's prefix. A permission for one user only is a role
of their own.
"""

from __future__ import annotations

from chatnode.api import Permission, PluginRole

VIEW = "crm.contacts.view"
CREATE = "crm.contacts.create"
UPDATE = "crm.contacts.update"
DELETE = "crm.contacts.delete"
IMPORT = "crm.contacts.import"
EXPORT = "crm.contacts.export"
LISTS = "crm.lists.manage"
TAGS = "crm.tags.manage"

PERMISSIONS = (
    Permission(VIEW, "See contacts, their lists and their tags.", roles=()),
    Permission(CREATE, "Create contacts.", roles=()),
    Permission(UPDATE, "Change contacts, and add notes to them.", roles=()),
    Permission(DELETE, "Delete contacts.", roles=()),
    Permission(IMPORT, "Import contacts from files.", roles=()),
    Permission(EXPORT, "Export contacts to files.", roles=()),
    Permission(LISTS, "Create, change and delete lists, and decide who is on them.", roles=()),
    Permission(TAGS, "Create, change and delete tags, and decide who has them.", roles=()),
)
_MEMBER = "member"

ROLES = (
    PluginRole("contacts_manager", (VIEW, CREATE, UPDATE, DELETE, IMPORT, EXPORT, LISTS, TAGS), extends=_MEMBER),
    PluginRole("contacts_viewer", (VIEW,), extends=_MEMBER),
    PluginRole("marketing_manager", (VIEW, LISTS, TAGS, EXPORT), extends=_MEMBER),
)
