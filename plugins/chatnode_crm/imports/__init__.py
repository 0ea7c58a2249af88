"""Imports, in stages that are stored, so that they can be resumed and undone."""

from __future__ import annotations

from chatnode.api import Consumer, Part, Table, Task
from chatnode_crm.imports import commands, errors, inspecting, looking, mappings, uploading
from chatnode_crm.imports.cleanup import clean_up_imports, wake_cleanup
from chatnode_crm.imports.cleanup import forget_contacts as forget_contacts
from chatnode_crm.imports.cleanup import wake_cleanup_at_start as wake_cleanup_at_start
from chatnode_crm.imports.works import WORKS

PART = Part(
    commands=(
        *commands.COMMANDS,
        *looking.COMMANDS,
        *inspecting.COMMANDS,
        *errors.COMMANDS,
        *mappings.COMMANDS,
    ),
    works=WORKS,
    routes=(*uploading.ROUTES, *errors.ROUTES),
    consumers=(Consumer("imports", wake_cleanup, kinds=frozenset({"crm.contact.deleted"})),),
    tasks=(Task("imports", clean_up_imports, every=3_600),),
    tables=(Table("crm_imports", people=("owner",)), Table("crm_import_mappings", people=("owner",))),
)
