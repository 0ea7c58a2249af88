"""What cards of a node have that others do not."""

from __future__ import annotations

PRODUCT = "-//chatnode//contacts//EN"
"""`PRODID`: the card was made by a node, so its UID is the contact's id there."""
