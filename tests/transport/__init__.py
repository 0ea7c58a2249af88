"""Connections as clients see them, in this trio run, through the node's own listener."""
