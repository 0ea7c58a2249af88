"""Accounts: profiles, sessions, roles, and the audit log."""
