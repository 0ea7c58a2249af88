"""Backups, restores, upgrades, exports and checks."""
