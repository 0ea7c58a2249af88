"""schemathesis asks everything that the OpenAPI document describes, rightly and wrongly, and believes the document.

No answer is a fault of the node's, none contradicts the document, and afterwards the database is sound.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from .conftest import MakeNode, Prepared
from .node_process import ROOT, TROUBLE, NodeProcess
from .wire import Chat

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
ENDS_THE_SESSION = ("sessions.revoke", "sessions.revoke_others")
"""After one of these all else would be `unauthenticated`."""
HAS_NO_END = ("events",)
EXAMPLES = 6
"""Of each kind for each operation, beside those that cover the bounds of every field: another seed tries others."""


@pytest.mark.slow
def test_no_answer_contradicts_the_document(make_node: MakeNode, prepared: Prepared, tmp_path: Path) -> None:
    seed = int(os.environ.get("CHATNODE_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed {seed}: again with CHATNODE_TEST_SEED={seed}")
    node = make_node()
    node.add_user("root", admin=True)
    token = node.token("root")
    pool = _furnish(node, token, prepared.tokens["alice"])
    rest = [f"--exclude-path=/v1/{name}" for name in (*ENDS_THE_SESSION, *HAS_NO_END)]
    run(node, token, pool, seed, tmp_path, *rest)
    assert _may(node, token), "the run took the administrator's token, and says little"
    run(node, token, pool, seed, tmp_path, *(f"--include-path=/v1/{name}" for name in ENDS_THE_SESSION))
    assert node.stop() == 0
    assert not TROUBLE.search(node.stderr_text())
    assert node.check().returncode == 0


def run(node: NodeProcess, token: str, pool: dict[str, list[str]], seed: int, directory: Path, *only: str) -> None:
    """Run schemathesis; its whole report is the failure."""
    host, port = node.address
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
            *("run", f"http://{host}:{port}/v1/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
            *("--max-examples", str(EXAMPLES), "--seed", str(seed), "--no-color", "--generation-database", "none"),
            *("--suppress-health-check", "all", *only),
        ],
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.blackbox.openapi_hooks", "SEED": str(seed)}
        | {"POOL": orjson.dumps(pool).decode(), "PYTHONPATH": str(ROOT)},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    print(done.stdout[-3_000:])
    assert done.returncode == 0, _short(done.stdout + done.stderr)


def _short(report: str) -> str:
    return "\n".join(line[:500] for line in report.splitlines())


def _may(node: NodeProcess, token: str) -> bool:
    with Chat(node.address, token, device="after") as after:
        return after.call("people.me")["role"] == "admin"


def _furnish(node: NodeProcess, token: str, alices: str) -> dict[str, list[str]]:
    """Make what there is to ask about; returns, by the name of a field, what to put into it."""
    with Chat(node.address, token, device="root") as root, Chat(node.address, alices, device="alice") as alice:
        groups = [root.group(f"group {number}", "alice", "bob") for number in range(3)]
        talks = [*groups, root.direct("alice")]
        messages: list[str] = []
        for talk in talks:
            for by in (root, alice):
                messages.append(str(by.post(talk, "words for @alice")["message"]))
    people = ["alice", "bob", "carol"]
    return {
        "conversation": talks,
        "message": messages,
        "reply_to": messages,
        "thread": messages,
        "person": people,
        "member": people,
        "with": people,
        "collection": ["messages", "conversations", "participants", "people"],
    }
