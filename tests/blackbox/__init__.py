"""Tests that drive a node from outside, as a separate process, and know nothing of its code."""
