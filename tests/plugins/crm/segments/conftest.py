"""A book of contacts."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from tests.plugins.crm.segments.book import Book


@pytest.fixture
async def book(node: Node) -> Book:
    """Four contacts with tags."""
    book = Book(node)
    await book.add("Ada", country="France", city="Paris", tags=["VIP"])
    await book.add("Bea", country="France", city="Lyon", tags=["VIP", "Press"])
    await book.add("Cy", country="Spain", city="Paris")
    await book.add("Dan", tags=["Press"])
    return book
