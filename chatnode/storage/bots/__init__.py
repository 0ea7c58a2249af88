"""Bots that users own, what bots offer, and what users invoke."""
