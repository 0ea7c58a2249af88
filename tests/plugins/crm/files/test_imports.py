"""Reading CSV imports nothing that only workbooks, vCards or the checks of values need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from chatnode_crm.files import mapping, reading
with reading.open_table(Path(sys.argv[1])) as table:
    mapping.preview(mapping.suggested_mapping(mapping.suggest(table.columns)), table.columns, table.rows())
print([name for name in ("phonenumbers", "email_validator", "pycountry") if name in sys.modules])
"""


def test_reading_a_table_imports_no_library(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("email,phone,country\na@b.de,+33612345678,France\n")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "file")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
