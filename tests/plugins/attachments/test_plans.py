"""Statements that run often, or in the writer, look at no more rows than they need."""

from __future__ import annotations

from pathlib import Path

import pytest
from chatnode_attachments import figures

from chatnode.config import Config
from chatnode.node import open_node
from tests.plugins.attachments.store.storing import PLUGINS

AVATARS = "FROM attachments_files WHERE used_by = ?"


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (figures._MISSING, "attachments_blobs_missing"),  # pyright: ignore[reportPrivateUsage]
        (f"DELETE {AVATARS} AND uploader = ? AND conversation IS NULL AND id <> ?", "attachments_files_in_use"),
        (f"SELECT conversation {AVATARS} AND uploader = ? AND conversation IS NOT NULL", "attachments_files_in_use"),
        (f"DELETE {AVATARS} AND conversation = ? AND id <> ?", "attachments_files_in_use_by_conversation"),
    ],
)
async def test_no_statement_looks_at_every_file(tmp_path: Path, config: Config, sql: str, index: str) -> None:
    async with open_node(tmp_path / "data", config, only=PLUGINS) as node:
        values = ["[]"] * sql.count("?")
        plan = await node.core.db.read(
            lambda reader: [row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
        )
    tables = [step for step in plan if "attachments_" in step or " b " in step]
    assert any(f"{index} " in f"{step} " for step in tables), plan
    assert all(f"{index} " in f"{step} " or "PRIMARY KEY" in step for step in tables), plan
