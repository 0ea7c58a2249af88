"""The plugin's permission."""

from __future__ import annotations

from chatnode.api import Permission

MANAGE = "webhooks.manage"

PERMISSIONS = (Permission(MANAGE, "Manage the webhooks of the node and of every group.", roles=()),)
