"""What clients did and saw, as JSON lines in the order of time.

Every record has `time` (seconds, one clock for all), `client` (one device, with one cursor), `member` (whose
device it is) and `op`. The rest depends on `op`:

| op | more keys |
| --- | --- |
| `post` | `phase`, `conversation`, `cid`, `text`; with `ok`: `seq`, `gid`, `dup` |
| `read` | `phase`, `conversation`, `seq`: a receipt that everything up to `seq` was read |
| `joined`, `left` | `phase`, `conversation`: the member is in it, or no longer |
| `start` | `conversation`, `after`: from here on this client must be pushed all that follows this `seq` |
| `push` | `conversation`, `seq`, `gid`, `cid`, `sender`, `text` of a message that was pushed |
| `export` | `label`, `conversation`, `messages`, `unread`?, `mentions`?: what the member is told in the end |
| `search` | `label`, `query` (one word), `found`: the cids found |
| `received` | `way`, `text`: anything else that reached the member, to be searched for canaries |
| `canary` | `conversation`, `text`: words that nobody outside the conversation may ever see |

Each of the `messages` of an export has `seq`, `gid`, `cid`, `sender` and `text`. A message that the node
itself wrote (somebody joined) has a `cid` of null.

`phase` is `invoke` when the request leaves, then `ok`, `fail` (the node refused it) or `unknown` (no answer
came). A request that is sent again after `unknown` is invoked again with the same `cid`.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@dataclass
class History:
    """Records in the order in which they were made."""

    records: list[Record] = field(default_factory=list)

    def add(self, client: str, member: str, op: str, **more: object) -> None:
        """Record one event, now."""
        self.records.append({"time": time.monotonic(), "client": client, "member": member, "op": op, **more})

    def save(self, path: Path) -> None:
        """Write JSON lines."""
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in self.records)

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read JSON lines."""
        with path.open(encoding="utf-8") as file:
            return cls([json.loads(line) for line in file if line.strip()])

    def of(self, *ops: str) -> Iterable[Record]:
        """The records of these kinds."""
        return (record for record in self.records if record["op"] in ops)
