"""A node that has the plugin and does not use it imports none of the libraries that it needs."""

from __future__ import annotations

import subprocess
import sys

LIBRARIES = (
    "charset_normalizer", "defusedxml", "dns", "email_validator", "et_xmlfile", "openpyxl", "phonenumbers", "pycountry",
    "python_calamine", "rapidfuzz", "vobject", "xlsxwriter",
)  # fmt: skip
_PROGRAM = """
import sys
from pathlib import Path
import chatnode_crm, trio
from chatnode.node import open_node

async def main():
    async with open_node(Path(sys.argv[1]) / "data", only=[chatnode_crm]) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        await node.call("crm.contacts.list")
        await node.call("crm.lists.list")

trio.run(main)
print(*sys.modules)
"""


def test_an_unused_plugin_imports_none_of_its_libraries(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = {name.partition(".")[0] for name in done.stdout.split()}
    assert "chatnode_crm" in found
    assert found.intersection(LIBRARIES) == set()
