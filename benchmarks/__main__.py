"""``python -m benchmarks SCENARIO... [--quick] [--json]``; README.md here says how to read what it prints."""

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.generator import build
from benchmarks.machine import Cores, allow_many_files
from benchmarks.report import as_json, table
from benchmarks.runner import Runner
from benchmarks.scenario import FULL, QUICK
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import STACKS

DIRECTORY = Path(__file__).parent / "data"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the node end to end.")
    parser.add_argument(
        "scenarios",
        nargs="+",
        choices=[*SCENARIOS, "all"],
        metavar="SCENARIO",
        help=", ".join([*SCENARIOS, "all"]),
    )
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, to see that all works")
    parser.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario, instead of its own number")
    parser.add_argument("--only", choices=[stack.name for stack in STACKS], help="measure this one alone")
    parser.add_argument("--server-core", type=int, default=0, help="core of the server (0)")
    parser.add_argument("--other-core", type=int, default=1, help="core of the load and of this program (1)")
    parser.add_argument(
        "--directory", type=Path, default=DIRECTORY, help="where data is stored; flushing must be real there"
    )
    return parser.parse_args()


def main() -> None:
    """Run the scenarios and print a table for each, or JSON for all."""
    arguments = parse()
    cores = Cores(arguments.server_core, arguments.other_core)
    os.sched_setaffinity(0, {cores.others})
    allow_many_files()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    runner = Runner(
        stacks=[stack for stack in STACKS if arguments.only in (None, stack.name)],
        generator=build(cores.others),
        cores=cores,
        size=QUICK if arguments.quick else FULL,
        directory=arguments.directory,
        rounds=arguments.rounds or (1 if arguments.quick else None),
    )
    names = list(SCENARIOS) if "all" in arguments.scenarios else arguments.scenarios
    all_results = []
    for name in names:
        results = runner.run(SCENARIOS[name])
        all_results.append(results)
        if not arguments.json:
            print(table(results), flush=True)
    if arguments.json:
        print(json.dumps(as_json(all_results), indent=2))


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"benchmarks: {error}")
