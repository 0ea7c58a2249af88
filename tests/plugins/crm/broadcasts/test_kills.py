"""SIGKILL at any moment of a broadcast: every contact gets it exactly once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import chatnode_crm
import pytest

from chatnode.node import open_node
from chatnode.testing import User
from tests.plugins.crm.broadcasts.life import CONFIG
from tests.plugins.crm.broadcasts.sending import create
from tests.plugins.crm.people.making import of_account
from tests.plugins.sql import rows

ROOT = Path(__file__).parents[4]
CONTACTS = 15


def live(data: Path, seconds: float) -> bool:
    """Run a node, and kill it so long after it has begun; whether it was done before."""
    command = [sys.executable, "-m", "tests.plugins.crm.broadcasts.life", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(seconds)
        child.kill()
        return "done" in child.stdout.read()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_everybody_gets_it_exactly_once(tmp_path: Path, seed: int) -> None:
    data, chance = tmp_path / "data", random.Random(seed)
    async with open_node(data, CONFIG, only=[chatnode_crm]) as node:
        mara = await User.new(node, "mara", role="contacts_manager")
        for number in range(CONTACTS):
            await of_account(node, await User.new(node, f"user{number}"), mara)
        await create(mara, per_minute=600)
    kills = 0
    while not live(data, chance.choice([0.02, 0.1, 0.5]) * chance.random()):
        kills += 1
        assert kills < 500
    assert kills >= 3
    async with open_node(data, CONFIG, only=[chatnode_crm]) as node:
        sent = await rows(node, "SELECT t.person, count(*) FROM messages m JOIN crm_talks t "
                                "ON t.conversation = m.conversation GROUP BY t.person")  # fmt: skip
        assert (len(sent), {count for _, count in sent}) == (CONTACTS, {1})
        states = await rows(node, "SELECT state, count(*) FROM crm_deliveries GROUP BY state")
        assert states == [("sent", CONTACTS)]
