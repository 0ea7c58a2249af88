"""Old snapshot + events = fresh snapshot: for every command that writes, live and after an absence."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.services import COMMANDS
from tests.properties.scenarios import SCENARIOS, Scenario, make_world
from tests.properties.world import apply, fresh, replayed

WRITING = [command.name for command in COMMANDS if not command.reads]


def test_every_command_that_writes_has_a_scenario() -> None:
    assert set(SCENARIOS) == set(WRITING)


@pytest.mark.parametrize(
    ("command", "scenario"),
    [pytest.param(name, each, id=f"{name}-{each.__name__}") for name in SCENARIOS for each in SCENARIOS[name]],
)
async def test_an_old_snapshot_and_the_events_make_a_fresh_snapshot(
    node: Node, command: str, scenario: Scenario
) -> None:
    world = await make_world(node)
    await scenario(world)
    assert command in world.called, "the scenario does not run its command after it began"
    for watched in world.watched:
        somebody = watched.somebody
        pushed, missed = watched.connection.take(), await replayed(somebody, world.since)
        if not world.changes_again:
            signed_out = watched.connection.session.ended is False  # hears nothing of what comes after that
            heard = missed[: len(pushed)] if signed_out else missed
            assert pushed == heard, f"{somebody.handle} is replayed what was pushed live"
        if somebody is world.eve and not world.concerns_everybody:
            assert pushed == [], "a stranger is told of it"
        now = (await fresh(somebody)).state()
        for client, frames in ((watched.live, pushed), (watched.away, missed)):
            apply(client, frames)
            await client.settle()
            assert client.state() == now, f"{somebody.handle} is wrong after {len(frames)} events"
