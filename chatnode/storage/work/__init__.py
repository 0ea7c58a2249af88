"""Durable work in the database."""
