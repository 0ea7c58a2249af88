"""Names of files. They are shown and offered to browsers; no path is ever made from one."""

from __future__ import annotations

import re
import unicodedata

from chatnode.api import is_blank

MOST_BYTES = 255
"""What most file systems accept, so that a download can be saved under its name."""
NAMELESS = "file"
_LONGEST_EXTENSION = 32

# What no field of the API accepts: controls, line and paragraph separators, what overrides the direction of text
# ("photo\u202egnp.exe" reads as "photoexe.png"). Half surrogates have no UTF-8.
_REMOVED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff]")
_SEPARATOR = re.compile(r"[/\\:]")


def clean_name(name: str) -> str:
    """A name as the node stores it, in NFC: one visible line without path separators, at most 255 bytes of UTF-8.

    A name that is too long keeps its extension; one of which nothing is left becomes `file`. A clean name stays as it
    is.
    """
    cleaned = unicodedata.normalize("NFC", _SEPARATOR.sub("_", _REMOVED.sub("", name)))
    cut = shortened(_trimmed(cleaned))
    return NAMELESS if is_blank(cut) else cut


def _trimmed(name: str) -> str:
    """Without what some file systems drop at the end, which also leaves nothing of `.` and `..`."""
    return name.lstrip().rstrip(" .\u00a0\u3000\t")


def shortened(name: str, most: int = MOST_BYTES) -> str:
    """A name cut to so many bytes of UTF-8; it keeps its extension."""
    if len(name.encode()) <= most:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = dot + extension
    if is_blank(stem) or len(ending.encode()) > _LONGEST_EXTENSION:
        stem, ending = name, ""
    cut = stem.encode()[: most - len(ending.encode())].decode(errors="ignore")
    return cut + ending if ending else _trimmed(cut)
