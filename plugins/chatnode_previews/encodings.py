"""The text of a page, by the encoding that its header, its first bytes or its head name.

Only encodings of the web are known by name: Python's registry also has some that are no encodings of texts, and one,
UTF-7, in which a page can hide markup.
"""

from __future__ import annotations

import codecs
import re

_NAMED_WITHIN = 1_024
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,10}=\s{0,10}[\"']?\s{0,10}([a-zA-Z0-9_:.-]{1,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LATIN = "cp1252"

_KNOWN = {
    **dict.fromkeys(("utf-8", "utf8", "unicode-1-1-utf-8"), "utf-8"),
    **dict.fromkeys(("utf-16", "utf-16le"), "utf-16-le"),
    "utf-16be": "utf-16-be",
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "ascii", "us-ascii", "cp1252"), _LATIN),
    **dict.fromkeys(("iso-8859-9", "latin5", "windows-1254"), "cp1254"),
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{number}": f"cp{number}" for number in (874, 1250, 1251, 1252, 1253, 1255, 1256, 1257, 1258)},
    **dict.fromkeys(("koi8-r", "koi8"), "koi8-r"),
    "koi8-u": "koi8-u",
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j"), "cp932"),
    "euc-jp": "euc-jp",
    "iso-2022-jp": "iso2022-jp",
    **dict.fromkeys(("gbk", "gb2312", "x-gbk", "gb18030"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "windows-949"), "cp949"),
}
"""Labels (encoding.spec.whatwg.org), and what Python calls the encoding."""


def page_text(body: bytes, content_type: str) -> str:
    """The text of a page; what cannot be decoded is replaced."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    named = _of_header(content_type) or _of_head(body)
    if named is not None:
        return body.decode(named, "replace")
    try:
        # The body may be cut within a character.
        return codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return body.decode(_LATIN, "replace")


def _of_header(content_type: str) -> str | None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return _KNOWN.get(value.strip().strip("\"'").lower())
    return None


def _of_head(body: bytes) -> str | None:
    found = _CHARSET.search(body[:_NAMED_WITHIN])
    if found is None:
        return None
    encoding = _KNOWN.get(found[1].decode("ascii").lower())
    # What could be read up to here is not in UTF-16.
    return "utf-8" if encoding in ("utf-16-le", "utf-16-be") else encoding
