"""The programs that `benchmarks/scenarios/embedding.py` measures: a node inside a program, called in several ways."""
