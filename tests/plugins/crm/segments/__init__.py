"""Segments of contacts."""
