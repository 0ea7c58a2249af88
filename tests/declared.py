"""What the node itself declares, without plugins."""

from __future__ import annotations

from chatnode.dispatch.jobs import Job
from chatnode.services import SUBJECTS
from chatnode.storage.filters.collection import Collection

JOBS: tuple[Job, ...] = tuple(job for each in SUBJECTS for job in each.jobs)
COLLECTIONS: tuple[Collection, ...] = tuple(collection for each in SUBJECTS for collection in each.collections)
