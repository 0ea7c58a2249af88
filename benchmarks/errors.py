"""The one error of the benchmarks."""


class BenchmarkError(Exception):
    """The run is invalid: a program failed, or acknowledged messages did not arrive or are not stored."""


def require(holds: bool, claim: str) -> None:
    """Stop the run unless ``claim`` holds."""
    if not holds:
        raise BenchmarkError(f"does not hold: {claim}")
