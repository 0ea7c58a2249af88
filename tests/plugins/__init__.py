"""Plugins: the surface that they stand on, and those that come with chatnode."""
