"""Data directories with one long conversation, filled once and kept for later runs.

chatnode is filled by posting through it, so nothing here knows its tables, and what is stored is what it
stores. The straightforward stack would take half an hour for that and has its rows inserted instead.
"""

import json
import shutil
from pathlib import Path

import cattrs
from attrs import frozen

from benchmarks.checks import require_all_arrived
from benchmarks.errors import require
from benchmarks.generator import Session
from benchmarks.scenario import Trial
from benchmarks.servers import Straightforward
from benchmarks.straightforward.fill import fill as fill_straightforward

WRITERS = 4
WINDOW = 64  # messages in flight for each writer: enough for large groups in one commit


@frozen
class Filled:
    """A data directory with a long conversation: its id, its number of messages, and a reader's token."""

    data: Path
    token: str
    conversation: str
    messages: int


def filled(trial: Trial) -> Filled:
    """The library of the trial's server; filled on first use."""
    place = trial.library / f"{trial.stack.name}-{trial.size.filled}"
    data, label = place / "data", place / "filled.json"
    if not label.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        token, conversation = fill(trial, data)
        label.write_text(json.dumps({"token": token, "conversation": conversation}))
    return cattrs.structure({"data": data, "messages": trial.size.filled, **json.loads(label.read_text())}, Filled)


def fill(trial: Trial, data: Path) -> tuple[str, str]:
    """Store the messages; returns a reader's token and the conversation."""
    if isinstance(trial.stack, Straightforward):
        return fill_straightforward(data, trial.size.filled)
    root = trial.stack.administrator(data)
    with trial.serving(data) as server:
        with server.client(root) as admin:
            writers = admin.add_people(WRITERS, "writer")
        token = writers[0].token
        with server.client(token) as client:
            members = [writer.handle for writer in writers[1:]]
            conversation = client.call("conversations.create", title="long", members=members)["conversation"]
        sessions = [Session("post", writer.token, conversation) for writer in writers]
        report = trial.generator.post(server, sessions, window=WINDOW, messages=trial.size.filled)
        require_all_arrived(report, readers=0)
        with server.client(token) as client:  # the server has closed the first connection: it was idle for minutes
            require(client.head(conversation) == trial.size.filled, "the last message has the last seq")
    return token, conversation
