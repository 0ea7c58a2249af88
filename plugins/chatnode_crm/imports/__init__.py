"""Imports, in stages that are stored, so that they can be resumed and undone."""

from __future__ import annotations

from chatnode.api import Table, Task
from chatnode_crm.imports.commands import COMMANDS
from chatnode_crm.imports.keeping import keep_imports
from chatnode_crm.imports.uploading import ROUTES
from chatnode_crm.imports.works import WORKS
from chatnode_crm.part import Part

PART = Part(
    commands=COMMANDS,
    works=WORKS,
    routes=ROUTES,
    tasks=(Task("imports", keep_imports, every=3_600),),
    tables=(Table("crm_imports", people=("owner",)), Table("crm_import_mappings", people=("owner",))),
)
