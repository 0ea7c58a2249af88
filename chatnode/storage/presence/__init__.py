"""Statuses, visibility, and who may see a user type."""
