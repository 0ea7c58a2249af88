"""A node inside a plain script: no event loop, no await. Any number of threads may use it.

    python examples/embed_script.py DIRECTORY

It tells two users that a nightly job is done, and says so once a day, however often it is run.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from chatnode.embed import Refusal
from chatnode.embed.threads import Node


def main(data: str) -> None:
    """Open a node, say something, and close it."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    with Node(data) as chat:
        for handle in ("ann", "bob"):
            try:
                chat.operator.people.create(handle=handle)
            except Refusal as refusal:
                if refusal.code != "conflict":  # it was there
                    raise
        robot = chat.bot("nightly")
        jobs = robot.conversations.find_or_create(context=("job", "nightly"), title="Nightly", members=["ann", "bob"])
        # The same cid is the same message: run twice a day, the script says it once.
        posted = robot.messages.post(conversation=jobs.conversation, text=f"Done: {today}", cid=f"nightly-{today}")
        print("said before" if posted.dup else f"message {posted.seq} is on disk")


if __name__ == "__main__":
    main(sys.argv[1])
