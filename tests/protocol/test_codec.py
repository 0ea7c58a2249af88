"""JSON to attrs and back: strict, total, and with the path of what is wrong."""

from __future__ import annotations

import string
from typing import Annotated, Any, TypedDict

import attrs
import orjson
import outcome
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chatnode.errors import Refusal
from chatnode.model.commands.accounts import CreatePerson, UpdateProfile
from chatnode.model.commands.conversations import ChangeSettings, OpenDirect, OpenGroup
from chatnode.model.commands.importing import ImportMessages
from chatnode.model.commands.messages import ListMessages, MarkUpTo, PostMessage
from chatnode.model.commands.resume import Hello, Welcome
from chatnode.model.commands.sign_in import AcceptInvite, CreateInvite
from chatnode.model.fields import Items, Text, Whole
from chatnode.model.messages import Message
from chatnode.model.people import PersonRef
from chatnode.protocol import codec
from tests.protocol.values import QUICK, TAKEN, json_values, places, values_of
from tests.quick import examples

ID = "0123456789abcdef" * 2


def refusal_of(values: Any, kind: type[Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        codec.structure(values, kind)
    return caught.value


# ---- there and back; test_generate.py does it with every class


def test_fields_that_say_nothing_are_left_out() -> None:
    post = PostMessage(ID, "one", "hello")
    assert codec.to_plain(post) == {"conversation": ID, "cid": "one", "text": "hello", "kind": "text"}
    assert codec.to_plain(OpenGroup("plans"))["members"] == [], "an empty list says that there are none"


def test_a_field_named_by_a_keyword_has_its_own_name_on_the_wire() -> None:
    assert codec.structure({"with": "bob"}, OpenDirect) == OpenDirect("bob")
    assert codec.to_plain(OpenDirect("bob")) == {"with": "bob"}
    assert refusal_of({}, OpenDirect).path == "with"
    assert refusal_of({"with_": "bob", "with": "bob"}, OpenDirect).path == "with_"


def test_defaults_are_filled_in() -> None:
    assert codec.structure({"title": "plans"}, OpenGroup) == OpenGroup("plans", [], "private", "", None)
    assert codec.structure({"conversation": ID}, ListMessages) == ListMessages(ID, None, None, 50)


# ---- nothing but refusals


@pytest.mark.parametrize("kind", [*TAKEN, Hello], ids=lambda kind: kind.__name__)
@settings(QUICK)
@given(st.data())
def test_whatever_json_comes_it_fits_or_is_refused(kind: type[Any], data: st.DataObject) -> None:
    """Fields that the command has, with values that are anything."""
    names = [codec.wire_name(field.name) for field in attrs.fields(kind)] + ["other"]
    values = data.draw(st.dictionaries(st.sampled_from(names), json_values, max_size=4))
    _fits_or_is_refused(values, kind)


@pytest.mark.parametrize(
    "kind", [kind for kind in [*TAKEN, Hello] if attrs.fields(kind)], ids=lambda kind: kind.__name__
)
@settings(QUICK)
@given(st.data())
def test_whatever_is_put_into_a_fitting_request_it_fits_or_is_refused_at_its_path(
    kind: type[Any], data: st.DataObject
) -> None:
    values = orjson.loads(codec.encode(data.draw(values_of(kind))))
    assume(values)
    path, holder, key = data.draw(st.sampled_from(places(values)))
    holder[key] = data.draw(json_values)
    refusal = _fits_or_is_refused(values, kind)
    if refusal is not None:
        assert refusal.path is not None
        assert refusal.path == path or refusal.path.startswith(path + "."), f"{path} was changed"


def _fits_or_is_refused(values: Any, kind: type[Any]) -> Refusal | None:
    before = orjson.dumps(values)
    result = outcome.capture(codec.structure, values, kind)
    assert orjson.dumps(values) == before
    if isinstance(result, outcome.Error):
        assert isinstance(result.error, Refusal)
        assert (result.error.code, result.error.status) == ("invalid", 400)
        return result.error
    value = result.unwrap()
    assert orjson.loads(codec.encode(codec.structure(codec.to_plain(value), kind))) == codec.to_plain(value)
    return None


@settings(QUICK)
@given(json_values)
def test_what_is_no_object_is_refused(values: Any) -> None:
    assume(not isinstance(values, dict))
    with pytest.raises(Refusal):
        codec.structure(values, PostMessage)


@settings(QUICK, max_examples=examples(300))
@given(st.binary(max_size=60) | st.text('[]{}",:\\ 0tn', max_size=40).map(str.encode), st.integers(0, 4))
def test_whatever_bytes_come_they_are_json_or_refused(data: bytes, max_depth: int) -> None:
    """With the bound of depth and without, the same bytes are JSON."""
    try:
        value = codec.decode(data, max_depth)
    except Refusal as refusal:
        assert refusal.code == "bad_json"  # noqa: PT017 -- nothing else may be raised
    else:
        assert value == orjson.loads(data)


# ---- strictness


@pytest.mark.parametrize("wrong", [True, "5", 1.0, 5.5, None, [], {}, -1, 2**53, 2**70])
def test_a_number_is_a_number(wrong: Any) -> None:
    refusal = refusal_of({"conversation": ID, "seq": wrong}, MarkUpTo)
    assert refusal.path == "seq"
    assert codec.structure({"conversation": ID, "seq": 5}, MarkUpTo).seq == 5


@pytest.mark.parametrize("wrong", [5, 1.5, True, None, ["hello"], {"text": "hello"}, "nul\0"])
def test_a_text_is_a_text(wrong: Any) -> None:
    refusal = refusal_of({"conversation": ID, "cid": "one", "text": wrong}, PostMessage)
    assert (refusal.path, refusal.code) == ("text", "invalid")


@pytest.mark.parametrize("wrong", [0, 1, "true", "", None, []])
def test_true_and_false_are_themselves(wrong: Any) -> None:
    assert refusal_of({"handle": "ann", "admin": wrong}, CreatePerson).path == "admin"
    assert codec.structure({"handle": "ann", "admin": True}, CreatePerson).admin is True


@pytest.mark.parametrize("wrong", ["Public", "", "publicprivate", 1, None, ["public"], {"public": 1}])
def test_a_word_is_one_of_those_there_are(wrong: Any) -> None:
    refusal = refusal_of({"title": "plans", "visibility": wrong}, OpenGroup)
    assert (refusal.path, refusal.message) == ("visibility", "visibility must be one of private, public")


@pytest.mark.parametrize("wrong", ["ann", {"0": "ann"}, None, 1, {}])
def test_a_list_is_a_list(wrong: Any) -> None:
    assert refusal_of({"title": "plans", "members": wrong}, OpenGroup).path == "members"


def test_a_field_that_may_be_left_out_may_be_null_too() -> None:
    assert codec.structure({"conversation": ID, "before": None}, ListMessages).before is None


# ---- paths


@pytest.mark.parametrize(
    ("values", "kind", "path", "message"),
    [
        ({"cid": "one", "text": "hello"}, PostMessage, "conversation", "is missing"),
        (
            {"cid": "one", "conversaton": ID},
            PostMessage,
            "conversation",
            "is missing; conversaton is not a field of this command",
        ),
        ({"conversation": ID, "cid": "one", "text": "x", "extra": 1}, PostMessage, "extra", "is not a field"),
        (
            {"conversation": "x", "cid": "one", "text": "x"},
            PostMessage,
            "conversation",
            "an id of 32 hexadecimal digits",
        ),
        ({"conversation": ID.upper(), "cid": "one", "text": "x"}, PostMessage, "conversation", "hexadecimal"),
        ({"conversation": ID, "cid": "no spaces", "text": "x"}, PostMessage, "cid", "1 to 64 characters of A-Z"),
        ({"conversation": ID, "cid": "x" * 65, "text": "x"}, PostMessage, "cid", "the maximum is 64"),
        ({"title": "plans", "members": ["ann", "bob", 5]}, OpenGroup, "members.2", "must be a string"),
        ({"title": "plans", "members": ["ann", ""]}, OpenGroup, "members.1", "minimum is 1"),
        ({"title": "plans", "members": ["ann"] * 1_001}, OpenGroup, "members", "the maximum is 1000"),
        ({"title": "line\nbreak"}, OpenGroup, "title", "control characters"),
        ({"title": "\u3164\u200b"}, OpenGroup, "title", "no visible characters"),
        ({"name": "\u0301"}, UpdateProfile, "name", "no visible characters"),
        ({"avatar": "/pictures/\x07"}, UpdateProfile, "avatar", "control characters"),
        ({"avatar": "/pictures/\u202egnp"}, UpdateProfile, "avatar", "control characters"),
        ({"conversation": ID, "cid": "one", "text": "x", "metadata": {"a\x1bb": ""}}, PostMessage, "metadata", "names"),
        ({"conversation": ID, "cid": "one", "text": "x", "metadata": {"\u3164": ""}}, PostMessage, "metadata", "names"),
        ({"conversation": ID, "cid": "one", "text": "x", "metadata": {"a": "\0"}}, PostMessage, "metadata", "at 'a'"),
        (
            {"conversation": ID, "muted_until": "2026-02-29T00:00:00Z"},
            ChangeSettings,
            "muted_until",
            "not a valid time",
        ),
        ({"title": "x" * 201}, OpenGroup, "title", "has 201 characters; the maximum is 200"),
        ({"uses": 0}, CreateInvite, "uses", "the minimum is 1"),
        ({"conversations": [ID, "x"]}, CreateInvite, "conversations.1", "32"),
        ({"with": ""}, OpenDirect, "with", "minimum is 1"),
        ({"cursor": {"epoch": ID, "gid": -1}}, Hello, "cursor.gid", "is -1"),
        ({"cursor": {"epoch": ID}}, Hello, "cursor.gid", "is missing"),
        ({"cursor": {"epoch": ID, "gid": 1, "x": 1}}, Hello, "cursor.x", "is not a field"),
        ({"cursor": 5}, Hello, "cursor", "must be an object"),
        ({"code": "x", "handle": "no!", "password": "y"}, AcceptInvite, "handle", "letters a-z"),
    ],
)
def test_a_refusal_names_the_place_and_what_is_wrong_there(
    values: dict[str, Any], kind: type[Any], path: str, message: str
) -> None:
    refusal = refusal_of(values, kind)
    assert (refusal.code, refusal.path) == ("invalid", path)
    assert refusal.message.startswith(path + " ")
    assert message in refusal.message


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"at": "yesterday"}, "items.1.at"),
        ({"author": ""}, "items.1.author"),
        ({"color": "red"}, "items.1.color"),
        ({"metadata": {"list": 5}}, "items.1.metadata.list"),
        ({"metadata": []}, "items.1.metadata"),
    ],
)
def test_a_refusal_names_the_item_of_a_list(change: dict[str, Any], path: str) -> None:
    good = {"cid": "one", "author": "Ada", "at": 0, "text": "hello"}
    values = {"conversation": ID, "source": "zulip", "items": [good, good | change]}
    assert refusal_of(values, ImportMessages).path == path


@settings(QUICK)
@given(st.integers(0, 5), st.integers(0, 5))
def test_bounds_are_included(least: int, more: int) -> None:
    most = least + more

    fields = {
        "text": Annotated[str, Text(most, least)],
        "number": Annotated[int, Whole(least, most)],
        "items": Annotated[list[int], Items(most)],
    }
    bounded = attrs.make_class("Bounded", {name: attrs.field(type=kind) for name, kind in fields.items()})
    for size in (least, most):
        codec.structure({"text": "x" * size, "number": size, "items": [0] * size}, bounded)
    fitting: dict[str, Any] = {"text": "x" * least, "number": least, "items": []}
    for wrong in ({"text": "x" * (most + 1)}, {"number": most + 1}, {"number": least - 1}, {"items": [0] * (most + 1)}):
        assert refusal_of(fitting | wrong, bounded).path == next(iter(wrong))


# ---- for a client of a newer node


class _Spot(TypedDict):
    at: str


class Spot(_Spot, total=False):
    name: str


@attrs.define
class Spots:
    spots: list[Spot]


def test_what_is_plain_already_is_sent_as_it_is_and_read_by_a_client() -> None:
    spots = Spots([{"at": "here"}, {"at": "there", "name": "the pub"}])
    plain = codec.to_plain(spots)
    assert plain == {"spots": [{"at": "here"}, {"at": "there", "name": "the pub"}]}
    assert plain["spots"][0] is spots.spots[0]
    assert codec.read(plain, Spots) == spots
    assert codec.read({"spots": [{"at": "here", "of tomorrow": True}]}, Spots).spots[0]["at"] == "here"
    for wrong in ({"name": "nowhere"}, {"at": 1}, "here"):
        with pytest.raises(Refusal) as caught:
            codec.read({"spots": [wrong]}, Spots)
        assert (caught.value.path or "").startswith("spots.0")


def test_a_client_lets_pass_what_it_does_not_know() -> None:
    welcome = {
        "epoch": ID, "head": 5, "mode": "a mode of tomorrow", "me": {"id": ID, "handle": "ann", "pronouns": "she"},
        "session": 1, "weather": {"wind": [1, 2]},
    }  # fmt: skip
    assert codec.read(welcome, Welcome).mode == "a mode of tomorrow"


def test_a_client_does_not_take_what_it_cannot_use() -> None:
    welcome = {"epoch": ID, "head": "5", "mode": "replay", "me": {"id": ID, "handle": "ann"}, "session": 1}
    with pytest.raises(Refusal) as caught:
        codec.read(welcome, Welcome)
    assert caught.value.path == "head"


# ---- depth


def nested(depth: int, inner: str = "1") -> bytes:
    return ('{"a":[' * (depth // 2) + "[" * (depth % 2) + inner + "]" * (depth % 2) + "]}" * (depth // 2)).encode()


@pytest.mark.parametrize("depth", [1, 2, 15, 16])
def test_what_is_nested_up_to_the_bound_is_taken(depth: int) -> None:
    assert codec.decode(nested(depth), 16) == orjson.loads(nested(depth))


@pytest.mark.parametrize("depth", [17, 100, 1_000, 100_000])
def test_what_is_nested_deeper_is_refused(depth: int) -> None:
    with pytest.raises(Refusal, match="bad_json: objects and arrays are nested deeper than 16"):
        codec.decode(nested(depth), 16)
    with pytest.raises(Refusal, match="bad_json"):  # also when it is not even JSON
        codec.decode(b"[" * depth, 16)


def test_without_a_bound_the_parser_has_its_own() -> None:
    with pytest.raises(Refusal, match="bad_json"):
        codec.decode(b"[" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50,
        "{" * 50,
        '"' + "[" * 50,
        "\\" + "[" * 50,
        '\\"' * 20 + "[[[[",
        "]" * 20 + "[" * 20,
        string.printable,
    ],
)
def test_what_stands_in_texts_does_not_count(text: str) -> None:
    data = orjson.dumps([[], [], {"a": [], text: text}])
    assert codec.decode(data, 3) == orjson.loads(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"[]," * 20 + b'"' + b'\\"' * 100_000,
        b"[" + b"[]," * 20 + b'"' * 200_001,
        b"[" + b"[]," * 66_000,
        b"[" + b"[]," * 20 + b"\\" * 200_000,
        b"[" + b"[]," * 20 + b'"\\' * 100_000,
    ],
    ids=["escapes in an open text", "quotes", "lists", "backslashes", "texts that are escaped"],
)
def test_hostile_text_is_looked_at_once(data: bytes) -> None:
    """Anybody may send this: the frame is looked at before it is known who sends it. What went through it anew from
    each quote would not come back for minutes."""
    with pytest.raises(Refusal, match="bad_json"):
        codec.decode(data, 16)


@settings(QUICK)
@given(st.integers(1, 40), st.integers(1, 20))
def test_the_bound_is_exact(depth: int, max_depth: int) -> None:
    data = nested(depth)
    if depth <= max_depth:
        codec.decode(data, max_depth)
    else:
        with pytest.raises(Refusal):
            codec.decode(data, max_depth)


def test_what_is_declared_as_json_is_given_as_it_is() -> None:
    """What plugins know of a message, of which a page may hold much, is not walked through."""
    extra = {"waves": [{"person": {"id": "1", "handle": "ann"}, "count": 3}]}
    message = Message("m", "c", 1, 1, PersonRef("1", "ann"), "cid", "hello", "2026-11-21T10:17:06.042Z", extra=extra)
    assert codec.to_plain(message)["extra"] is extra
    assert codec.decode(codec.encode(message))["extra"] == extra
    message.extra = None
    assert "extra" not in codec.to_plain(message)
