"""Reading files of contacts: CSV in any encoding and dialect, XLSX, vCard, and a ZIP with one of these.

Everything runs in the caller's thread and in little memory, whatever the size of the file. The only error is
`UnreadableFile`. Libraries are imported on first use.
"""

from __future__ import annotations

from chatnode_crm.files.reading.model import RawRow, ReadLimits, ReadOptions, RowFault, UnreadableFile
from chatnode_crm.files.reading.opening import open_table
from chatnode_crm.files.reading.tables import FileTable

__all__ = ["FileTable", "RawRow", "ReadLimits", "ReadOptions", "RowFault", "UnreadableFile", "open_table"]
