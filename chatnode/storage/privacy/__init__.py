"""Erasure, retention, and the export of a user's own data."""
