"""Measures the node end to end, beside the straightforward way to build it; see README.md here.

``python -m benchmarks pairs`` runs one scenario, ``python -m benchmarks all --quick`` tries all of them in
a few minutes. The server has one core to itself, and the load comes from a C program on another.
"""
