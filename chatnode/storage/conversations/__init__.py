"""Conversations, their members and settings, blocks and invites."""
