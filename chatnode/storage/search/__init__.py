"""The index of words, and searching it."""
