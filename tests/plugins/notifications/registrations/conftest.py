"""A node with the plugin, and a server beside it."""

from tests.plugins.notifications.fixtures import alerts, config, only_plugins, plugins, service, settings

__all__ = ["alerts", "config", "only_plugins", "plugins", "service", "settings"]
