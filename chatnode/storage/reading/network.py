"""Whether a directory is on another machine: SQLite's write-ahead log works on one machine only."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = frozenset({
    "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
    "fuse.ceph", "fuse.ceph-fuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
})  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that the path is on; None if it is on another one, or cannot be known."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    kind = file_system(path.resolve(), mounts)
    return kind if kind in _NETWORK else None


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that an absolute path is on, by the text of /proc/self/mountinfo; empty if none."""
    deepest, kind = Path(), ""
    for line in mounts.splitlines():
        place, _, of = line.partition(" - ")
        mounted = Path(re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), place.split(" ")[4]))
        if path.is_relative_to(mounted) and len(mounted.parts) >= len(deepest.parts):  # a later mount hides the earlier
            deepest, kind = mounted, of.split(" ")[0]
    return kind
