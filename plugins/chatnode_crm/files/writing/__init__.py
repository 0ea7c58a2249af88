"""Writes files of contacts, in slices and in flat memory."""
