"""A node with the plugin alone, which judges messages at once."""

from tests.plugins.notifications.alone import amy, ben, config, only_plugins, plugins

__all__ = ["amy", "ben", "config", "only_plugins", "plugins"]
