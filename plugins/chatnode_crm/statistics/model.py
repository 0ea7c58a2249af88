"""What the commands on figures take and give. Days are those of UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from chatnode.api import After, Text, Whole, record

Days = Annotated[int, Whole(1, 3_660)]
Limit = Annotated[int, Whole(1)]


@record
class AskGrowth:
    """The last `days`, with today."""

    days: Days = 30


@record
class GrowthDay:
    """What happened on a day. `total_contacts` is how many there were at its end, with those from before the first day
    that is shown; `running_total` is the sum of the new ones since that day."""

    date: str
    new_contacts: int
    deleted_contacts: int
    running_total: int
    total_contacts: int


@record
class Growth:
    """The newest day comes first."""

    days: list[GrowthDay]


@record
class AskUse:
    """`days`: how far back `change` looks."""

    days: Days = 30
    limit: Limit = 20
    after: After | None = None


@record
class ListFigures:
    """The size of a list and its activity. `change` is how many contacts more or fewer it has than `days` ago."""

    id: str
    name: str
    is_active: bool
    contact_count: int
    change: int
    last_updated: str
    last_contact_added: str | None = None


@record
class ListFiguresPage:
    """Those with the most contacts come first. `next` is absent on the last page."""

    lists: list[ListFigures]
    next: str | None = None


@record
class TagFigures:
    """The use of a tag. `change` is how many contacts more or fewer have it than `days` ago."""

    id: str
    name: str
    color: str
    contact_count: int
    change: int


@record
class TagFiguresPage:
    """Those with the most contacts come first. `next` is absent on the last page."""

    tags: list[TagFigures]
    next: str | None = None


@record
class AskGeography:
    """By country, or by city; `country` asks for the cities of one country."""

    by: Literal["country", "city"] = "country"
    country: Annotated[str, Text(255)] | None = None
    limit: Annotated[int, Whole(1, 1_000)] = 20


@record
class PlaceFigures:
    """`percentage` is that of all contacts."""

    contact_count: int
    percentage: float
    country: str | None = None
    city: str | None = None


@record
class Geography:
    """Those with the most contacts come first. `unknown` is how many contacts have no country, or no city; `total` is
    how many contacts there are."""

    places: list[PlaceFigures]
    unknown: int
    total: int


@record
class AskImplausible:
    """`after` is the `next` of the previous page."""

    limit: Limit = 50
    after: After | None = None


@record
class ImplausibleContact:
    """A contact whose email address can hardly be right. `suggestion` is the address that may be meant."""

    contact: dict[str, Any]
    reason: Literal["syntax", "no_dot", "reserved", "top_level", "misspelt"]
    suggestion: str | None = None


@record
class ImplausibleContacts:
    """In the order in which they were created. A page may have fewer than `limit`, and none, before the end: `next` is
    absent on the last page."""

    contacts: list[ImplausibleContact]
    next: str | None = None
