"""The machine: its cores and limits, the memory of a process, and its current speed."""

import os
import platform
import resource
import sqlite3
import statistics
import time
from pathlib import Path
from tempfile import TemporaryFile

from attrs import frozen

CALIBRATION_STEPS = 1_000_000
CALIBRATION_FLUSHES = 200
FLUSHED_BYTES = 4096


@frozen
class Cores:
    """The core of the server under test, and the core of everything else."""

    server: int = 0
    others: int = 1


@frozen
class Memory:
    """Memory of a process in KiB: resident (RSS), and proportional (PSS, shared pages divided among their users)."""

    rss: int
    pss: int


@frozen
class Calibration:
    """The time of a fixed piece of work on the server's core: a slower machine shows in it."""

    loop_ms: float  # a fixed Python loop
    flush_us: float  # median of 4 KiB appended and flushed with fdatasync, where the servers store


def prefix_to_pin(core: int) -> list[str]:
    """A command prefix that pins a program to one core."""
    return ["taskset", "--cpu-list", str(core)]


def allow_many_files() -> int:
    """Raise the limit of open files to its maximum, for this process and its children; returns the limit."""
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
    return highest


def memory_of(pid: int) -> Memory:
    """The memory of a process now, without kernel memory such as socket buffers."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return Memory(rss=sizes["Rss"], pss=sizes["Pss"])


def cpu_seconds_of(pid: int) -> float:
    """The CPU time that a process has used in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def calibrate(cores: Cores, directory: Path) -> Calibration:
    """Takes about 0.1 s."""
    home = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores.server})
    try:
        return Calibration(loop_ms=_time_loop(), flush_us=_time_flush(directory))
    finally:
        os.sched_setaffinity(0, home)


def _time_loop() -> float:
    start = time.perf_counter()
    total = 0
    for step in range(CALIBRATION_STEPS):
        total += step & 7
    return (time.perf_counter() - start) * 1e3


def _time_flush(directory: Path) -> float:
    times = []
    with TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(CALIBRATION_FLUSHES):
            start = time.perf_counter()
            file.write(bytes(FLUSHED_BYTES))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def describe() -> dict[str, str | int | None]:
    """The facts about the machine that are needed to interpret the figures."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
