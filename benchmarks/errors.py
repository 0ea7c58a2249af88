"""The one error of the benchmarks."""


class BenchmarkError(Exception):
    """A run that measures nothing: a program failed, or what was acked is not what arrived or is stored."""


def require(holds: bool, claim: str) -> None:
    """Stop the run unless ``claim`` holds."""
    if not holds:
        raise BenchmarkError(f"does not hold: {claim}")
