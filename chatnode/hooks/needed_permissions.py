"""Checks the permissions that a declaration names: users must be able to have each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chatnode.errors import StartError
from chatnode.hooks.plugin import Plugin
from chatnode.model.permissions import PERMISSIONS


def check_permissions(plugin: Plugin, loaded: Mapping[str, Plugin]) -> None:
    """Raises `StartError` for a permission that neither the node, the plugin nor one that it requires declares.

    `loaded` are all plugins by name, this one and those that it requires among them.
    """
    declared = {name: {each.name for each in other.permissions} for name, other in loaded.items()}
    known = PERMISSIONS.keys() | set[str]().union(*(declared[name] for name in (plugin.name, *plugin.requires)))
    for what, permission in _needed(plugin):
        if permission is not None and permission not in known:
            owner = next((name for name, names in declared.items() if permission in names), None)
            raise StartError(f"{what} needs the permission {permission}, which {_why_not(plugin, owner)}")


def _why_not(plugin: Plugin, owner: str | None) -> str:
    if owner is None:
        return f"neither the node nor {' nor '.join((plugin.name, *plugin.requires))} declares"
    return f"the plugin {owner} declares: add {owner} to Plugin.requires"


def _needed(plugin: Plugin) -> Iterator[tuple[str, str | None]]:
    for command in plugin.commands:
        yield from ((f"the command {command.name}", each) for each in (command.permission, command.or_permission))
    for role in plugin.roles:
        yield from ((f"the role {role.name}", each) for each in role.permissions)
    for collection in plugin.collections:
        yield from (
            (f"the collection {collection.name}", each) for each in (collection.permission, collection.sees_all)
        )
        yield from ((f"the field {each.name} of {collection.name}", each.permission) for each in collection.fields)
    yield from ((f"the slash command /{each.name}", each.permission) for each in plugin.slash)
    yield from ((f"the page {each.path}", each.permission) for each in plugin.pages)
    yield from ((f"the route {each.rule}", each.permission) for each in plugin.routes)
