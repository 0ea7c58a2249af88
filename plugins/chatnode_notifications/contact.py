"""The operator's address for push services, in a form that they accept."""

from __future__ import annotations

from urllib.parse import urlsplit

_NOT_REACHABLE = ("localhost", "local", "invalid", "test", "example", "internal")
"""Top-level names that are nobody's on the internet. Apple refuses every push whose contact has one of them."""


def check_contact(text: str) -> str:
    """The address; empty for none. Raises `ValueError`, which says what to write instead."""
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme == "mailto":
        name, _, host = parts.path.rpartition("@")
    elif parts.scheme == "https":
        name, host = "-", parts.hostname or ""
    else:
        name, host = "", ""
    if not name or not host or any(letter.isspace() for letter in text):
        raise ValueError("expected an address such as mailto:chat@example.org or https://example.org/contact")
    labels = host.rstrip(".").lower().split(".")
    if len(labels) < 2 or labels[-1] in _NOT_REACHABLE:
        raise ValueError(f"push services refuse the host {host}; use one that exists on the internet")
    return text
