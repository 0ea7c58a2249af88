"""Documentation made from the code: `make docs` writes it, and tests compare."""
