"""Plugins: what one declares (`plugin.py`), the hooks it may implement (`specs.py`), and the node's side of both."""
