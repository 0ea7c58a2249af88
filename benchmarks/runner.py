"""Runs scenarios in rounds, each with one server after the other, so that drift affects all of them alike."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import Factory, define, frozen

from benchmarks.generator import Generator
from benchmarks.machine import Calibration, Cores, calibrate
from benchmarks.scenario import Figures, Scenario, Size, Trial
from benchmarks.servers import Chatnode, Stack


@define
class Results:
    """The results of one scenario's rounds, by the name of the stack, with the calibrations between them."""

    scenario: Scenario
    size: Size
    figures: dict[str, list[Figures]]
    calibrations: list[Calibration] = Factory(list)


@frozen
class Runner:
    """How to run: the stacks, the cores, the size, and a directory on a real disk."""

    stacks: Sequence[Stack]
    generator: Generator
    cores: Cores
    size: Size
    directory: Path
    rounds: int | None = None  # instead of the scenario's own number

    def run(self, scenario: Scenario) -> Results:
        """Run one trial of every stack per round; which stack is first alternates."""
        stacks = [stack for stack in self.stacks if not scenario.only_the_node or isinstance(stack, Chatnode)]
        results = Results(scenario, self.size, {stack.name: [] for stack in stacks})
        rounds = self.rounds or scenario.rounds
        for number in range(rounds):
            order = stacks if number % 2 == 0 else stacks[::-1]
            for stack in order:
                print(f"{scenario.name} {number + 1}/{rounds} {stack.name}", file=sys.stderr, flush=True)
                with self._trial(stack) as trial:
                    results.calibrations.append(calibrate(self.cores, self.directory))
                    results.figures[stack.name].append(scenario.measure(trial))
                    results.calibrations.append(calibrate(self.cores, self.directory))
        return results

    @contextmanager
    def _trial(self, stack: Stack) -> Iterator[Trial]:
        with TemporaryDirectory(prefix="trial-", dir=self.directory) as directory:
            yield Trial(stack, self.generator, self.cores, self.size, Path(directory), self.directory)
