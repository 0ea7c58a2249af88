"""Zulip's rendered messages as Markdown, to be read as it stands.

markdownify does the general part; what is here is Zulip's own HTML: formulas, highlighted code, mentions, spoilers,
emoji, times, and the previews that its server adds.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup
from markdownify import ATX, MarkdownConverter

from chatnode.importers.items import Unreadable, storable

CONTENT_LIMIT = 400_000
"""Characters of one message's HTML. Zulip allows 10,000 characters of Markdown, of which highlighted code
makes up to seven times as much HTML; six times that is never reached by honest means."""

_PLAIN = re.compile(r"(?:\s*<p>[^<]*</p>)+\s*")
_PARAGRAPH = re.compile(r"<p>([^<]*)</p>")
_PREVIEWS = {"message_inline_image", "message_embed", "inline-preview-twitter", "youtube-video"}
"""The classes of what Zulip's server adds to a message that has a link."""

_LONG_GAP = re.compile(r"[\t\r\n ]{256}")


def markdown(content: str) -> str:
    """The Markdown of a rendered message, to be read as it stands. Raises `Unreadable`.

    Nothing is escaped with backslashes: an author who wrote `2*3*4` meant that, and sees it again. A mention
    keeps the visible name, `@Ada Lovelace`, and a silent one has no `@`, as in Zulip.
    """
    if len(content) > CONTENT_LIMIT:
        raise Unreadable(f"longer than {CONTENT_LIMIT:,} characters")
    content = storable(content)
    if _PLAIN.fullmatch(content):  # half of all messages, at a hundredth of the time
        paragraphs = (_squeeze(html.unescape(text)).strip() for text in _PARAGRAPH.findall(content))
        text = "\n\n".join(filter(None, paragraphs))
    else:
        text = _convert(content)
    if not text:
        raise Unreadable("it has no text")
    return text


def _squeeze(text: str) -> str:
    """Collapse white space as HTML does, but keep line breaks."""
    return re.sub(r"[\t\r\n ]+", lambda match: "\n" if "\n" in match[0] else " ", text)


def _convert(content: str) -> str:
    content = re.sub(r"(<br ?/?>)\s+", r"\1", content)  # a line break is followed by the end of a line
    try:
        # The element around it keeps Beautiful Soup from warning that the text looks like a URL or like XML.
        soup = BeautifulSoup(f"<body>{content}</body>", "html.parser")
        _shorten_gaps(soup)
        if any(name in content for name in _PREVIEWS):
            _reduce_previews(soup)
        _number_items(soup)
        return _CONVERTER.convert_soup(soup).strip()
    except ParserRejectedMarkup as error:
        raise Unreadable("its HTML cannot be parsed") from error
    except RecursionError as error:
        raise Unreadable("its HTML is nested too deeply") from error


def _shorten_gaps(soup: BeautifulSoup) -> None:
    """Shorten runs of white space outside of code; markdownify would need time quadratic in their length."""
    for text in soup.find_all(string=_LONG_GAP):
        if text.find_parent("pre") is None:
            text.replace_with(_squeeze(text))


def _reduce_previews(soup: BeautifulSoup) -> None:
    """Remove previews of links that the message contains; replace any other preview by its link."""
    previews, links = _previews_and_links(soup)
    known = {_attribute(link, "href") for link in links}
    for preview in previews:
        link = preview.find("a", href=True)
        if link is None:
            continue
        href = _attribute(link, "href")
        if href in known:
            preview.decompose()
        else:
            known.add(href)
            preview.clear()
            preview.append(soup.new_tag("a", href=href, string=_attribute(link, "title") or href))


def _previews_and_links(soup: BeautifulSoup) -> tuple[list[Tag], list[Tag]]:
    """The outermost previews, and the links outside them."""
    previews: list[Tag] = []
    links: list[Tag] = []
    pending: list[Tag] = [soup]
    while pending:
        for child in pending.pop().find_all(recursive=False):
            if not _PREVIEWS.isdisjoint(_classes(child)):
                previews.append(child)
            else:
                pending.append(child)
                if child.name == "a":
                    links.append(child)
    return previews, links


def _number_items(soup: BeautifulSoup) -> None:
    """Give each item of a numbered list its number (markdownify would recount for every item)."""
    for numbered in soup.find_all("ol"):
        start = _attribute(numbered, "start")
        number = int(start) if re.fullmatch(r"[0-9]{1,9}", start) else 1
        for offset, item in enumerate(numbered.find_all("li", recursive=False)):
            item["value"] = str(number + offset)


def _attribute(element: Tag, name: str) -> str:
    value = element.get(name)
    return value if isinstance(value, str) else ""


def _classes(element: Tag) -> list[str]:
    value = element.get("class")
    return list(value) if isinstance(value, list) else []


class _Converter(MarkdownConverter):
    """markdownify with Zulip's elements. It calls `convert_<tag>` with the converted text of the children.

    `parent_tags` holds the names of the elements around; `_inline` is among them where there is only one line
    (headings, table cells) and `_noformat` within code.
    """

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        label, href = text.strip(), _attribute(el, "href").strip()
        if "_noformat" in parent_tags or not href or not label:
            return text
        if _same_address(label, href):
            return label if "://" in label or href.startswith("mailto:") else href
        if label.count("[") != label.count("]"):
            label = re.sub(r"([\[\]])", r"\\\1", label)
        if re.search(r"[\s<>]", href) or href.count("(") != href.count(")"):
            href = re.sub(r"[\s<>()]", lambda match: f"%{ord(match[0]):02X}", href)
        before, after = " " * text.startswith(" "), " " * text.endswith(" ")
        return f"{before}[{label}]({href}){after}"

    def convert_blockquote(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        text = text.strip()
        if "_inline" in parent_tags or not text:
            return f" {text} "
        return "\n\n" + "\n".join(f"> {line}".rstrip() for line in text.split("\n")) + "\n\n"

    def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return " " if "_inline" in parent_tags else "\n"

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        classes = _classes(el)
        if "spoiler-header" in classes:
            title = text.replace("**", "").strip()
            return f"\n\n**Spoiler: {title}**\n\n" if title not in ("", "Spoiler") else "\n\n**Spoiler**\n\n"
        if "spoiler-content" in classes:
            return self.convert_blockquote(el, text, parent_tags)
        return f"\n\n{text.strip()}\n\n" if "_inline" not in parent_tags else f" {text.strip()} "

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        name = _attribute(el, "alt") or _attribute(el, "title")
        source = _attribute(el, "data-original-src") or _attribute(el, "src")
        return name if "emoji" in _classes(el) or not source else f"![{name}]({source})"

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        text = text.strip()
        if not text:
            return ""
        number = _attribute(el, "value")
        bullet = f"{number}. " if number else "- "
        return bullet + re.sub(r"\n(?!\n)", "\n" + " " * len(bullet), text) + "\n"

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        text = "\n".join(line.strip() for line in text.strip().split("\n"))
        return f"\n\n{text}\n\n" if "_inline" not in parent_tags else f" {text} "

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        text = re.sub(r"\A(?:[ \t]*\n)+", "", text).rstrip()
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
        return f"\n\n{fence}{_language(el)}\n{text}\n{fence}\n\n" if text else ""

    def convert_span(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        classes = _classes(el)
        if "emoji" in classes:
            return _emoji(classes) or text
        if "katex-display" in classes and "_inline" not in parent_tags:
            return f"\n\n```math\n{_tex(el)}\n```\n\n"
        if "katex" in classes or "katex-display" in classes:
            return "$$" + re.sub(r"\s+", " ", _tex(el)) + "$$"
        return text

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return " " + " ".join(text.split()).replace("|", r"\|") + " |"

    convert_th = convert_td

    def convert_time(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        try:
            moment = datetime.fromisoformat(_attribute(el, "datetime"))
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
        except (ValueError, OverflowError):
            return text
        return f"{moment:%Y-%m-%d %H:%M} UTC"

    def convert_video(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        source = _attribute(el, "src")
        return f"[{_attribute(el, 'title') or PurePosixPath(source).name}]({source})" if source else text

    convert_audio = convert_video


_CONVERTER = _Converter(escape_asterisks=False, escape_underscores=False, heading_style=ATX)


def _same_address(label: str, href: str) -> bool:
    """Whether a link's text is its address, possibly without the scheme or with unescaped characters."""
    label, href = (unquote(address).rstrip("/") for address in (label, href))
    return label == href or href in {f"{scheme}{label}" for scheme in ("https://", "http://", "mailto:")}


def _language(pre: Tag) -> str:
    """The language of a code block, for its fence; Zulip names it on the element around."""
    name = _attribute(pre.parent, "data-code-language") if pre.parent else ""
    return "" if name == "Text only" else re.sub(r"\s+", "-", name.strip().lower())


def _emoji(classes: list[str]) -> str:
    """The character of an emoji, from a class such as `emoji-1f1ea-1f1fa`; empty if there is none."""
    for name in classes:
        if re.fullmatch(r"emoji(?:-[0-9a-f]{2,6})+", name):
            points = [int(point, 16) for point in name.split("-")[1:]]
            if all(point < 0xD800 or 0xDFFF < point <= 0x10FFFF for point in points):
                return "".join(map(chr, points))
    return ""


def _tex(element: Tag) -> str:
    annotation = element.find("annotation")
    return (annotation or element).get_text().strip()
