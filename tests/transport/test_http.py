"""HTTP: the same commands as the socket's, for anything that speaks HTTP/1.1."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import trio
import trio.testing
from openapi_spec_validator import OpenAPIV31SpecValidator

from chatnode.config import Accounts, Config, Limits, Server
from chatnode.errors import STATUS
from chatnode.model.times import now_ms
from chatnode.node import Node
from chatnode.services import COMMANDS
from chatnode.storage.people import sessions
from chatnode.testing import User
from chatnode.transport.origins import COOKIE
from tests.bots import DEPLOY, invoked, make_bot, with_buttons
from tests.services.dialogue import PASSWORD, token_of, with_password
from tests.works import stored_work

from .clients import Address, Http, Response, bearer, head, replace_handler, serving

JSON = {"Content-Type": "application/json"}


def refusal(response: Response) -> tuple[int, str, str | None]:
    """Status, code and field of an error; that the status fits the code is checked on the way."""
    error = response.error
    assert response.headers["content-type"] == "application/json"
    assert STATUS[error["code"]] == response.status or response.status == 405
    return response.status, error["code"], error.get("path")


# ---- commands


async def test_a_conversation_over_http(http: Http, anns: str, bobs: str) -> None:
    talk = (await http.call("conversations.direct", anns, **{"with": "bob"})).json["conversation"]
    posted = await http.call("messages.post", anns, conversation=talk, cid="one", text="hello — ünïcode")
    assert (posted.status, posted.json["seq"]) == (200, 1)
    assert posted.headers["content-type"] == "application/json"
    for read in (http.call, http.get):
        shown = await read("messages.list", bobs, conversation=talk, limit=10)
        assert [each["text"] for each in shown.json["messages"]] == ["hello — ünïcode"]


async def test_what_reads_takes_get_with_its_types(http: Http, ann: User, anns: str) -> None:
    notes = await ann.direct(ann)
    for number in range(1, 5):
        await ann.says(notes, str(number))

    async def texts(**fields: Any) -> list[str]:
        return [each["text"] for each in (await http.get("messages.list", anns, conversation=notes, **fields)).json[
            "messages"
        ]]  # fmt: skip

    assert await texts() == ["1", "2", "3", "4"]
    assert await texts(limit=2) == ["3", "4"]
    assert await texts(after="1", limit="2") == ["2", "3"]
    assert (await http.get("people.list", anns, prefix="4")).json["people"] == []  # a number where a text is meant
    assert (await http.get("people.get", anns, person="ann")).json["person"]["id"] == ann.id
    for fields, path in (
        ({"limit": "x"}, "limit"), ({"limit": "-1"}, "limit"), ({"limit": "1.5"}, "limit"), ({"limit": ""}, "limit"),
        ({"limit": "9" * 30}, "limit"), ({"limit": "٣"}, "limit"), ({"surprise": "1"}, "surprise"),
    ):  # fmt: skip
        answer = await http.get("messages.list", anns, conversation=notes, **fields)
        assert refusal(answer) == (400, "invalid", path), fields


async def test_what_changes_something_takes_only_post(http: Http, node: Node, anns: str) -> None:
    for command in COMMANDS:
        if not command.reads:
            for method in ("GET", "HEAD"):
                answer = await http.request(method, f"/v1/{command.name}", headers=bearer(anns))
                assert 400 <= answer.status < 500, (method, command.name)
    assert (await http.get("people.me", anns)).status == 200  # revoke_others and the like did not run


async def test_head_is_get_without_the_body(http: Http, ann: User, anns: str) -> None:
    for target in ("/v1/people.get?person=ann", "/v1/people.me", "/health", "/", "/v1/openapi.json"):
        got = await http.request("GET", target, headers=bearer(anns))
        asked = await http.request("HEAD", target, headers=bearer(anns))
        assert (asked.status, asked.body) == (got.status, b"")
        assert asked.headers["content-type"] == got.headers["content-type"]
    assert (await http.request("HEAD", "/v1/people.me")).status == 401


async def test_head_of_a_stream_begins_none(http: Http, node: Node, anns: str) -> None:
    with trio.fail_after(10):
        answer = await http.request("HEAD", "/v1/events", headers=bearer(anns))
    assert answer.status in (200, 405)
    assert (await http.get("people.me", anns)).status == 200
    assert len(node.sessions) == 0


async def test_options_tell_the_methods(http: Http) -> None:
    answer = await http.request("OPTIONS", "/v1/people.me")
    assert answer.status == 200
    assert {"GET", "POST"} <= set(re.split(", *", answer.headers["allow"]))
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_not_taken(http: Http, anns: str, method: str) -> None:
    answer = await http.request(method, "/v1/people.me", b"", headers=bearer(anns))
    assert answer.status == 405


async def test_errors_have_a_status_and_say_what_is_wrong(http: Http, ann: User, anns: str, eve: User) -> None:
    room = await ann.group(eve)
    await ann.call("conversations.members.remove", conversation=room, member="eve")
    eves = (await token_of(eve)).secret
    await ann.call("messages.post", conversation=room, cid="one", text="hello")
    expected = {
        ("messages.list", eves, "conversation", room): (403, "not_member", "conversation"),
        ("messages.list", anns, "conversation", "f" * 32): (404, "not_found", "conversation"),
        ("messages.list", anns, "conversation", "x"): (400, "invalid", "conversation"),
        ("people.create", anns, "handle", "zoe"): (403, "forbidden", None),
        ("no.such.command", anns, "handle", "zoe"): (404, "unknown_command", "op"),
        ("people.get", "wrong token", "person", "ann"): (401, "unauthenticated", None),
    }
    for (command, token, field, value), answer in expected.items():
        assert refusal(await http.call(command, token, **{field: value})) == answer
    post = {"conversation": room, "cid": "one"}
    assert refusal(await http.call("messages.post", anns, text="other", **post)) == (409, "conflict", "cid")
    assert refusal(await http.call("messages.post", anns, text="x" * 16_001, **post)) == (413, "too_large", "text")


@pytest.mark.parametrize("config", [Config(limits=Limits(posts_per_minute=1))], ids=[""])
async def test_who_is_too_fast_is_told_when_to_come_back(http: Http, ann: User, anns: str) -> None:
    notes = await ann.direct(ann)
    await ann.says(notes, "one")
    answer = await http.call("messages.post", anns, conversation=notes, cid="two", text="two")
    assert refusal(answer) == (429, "rate_limited", None)
    assert answer.error["temporary"] is True
    assert 0 < answer.error["retry_after"] <= int(answer.headers["retry-after"]) <= 61


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"{", (400, "bad_json", None)),
        (b"\xff", (400, "bad_json", None)),
        (b"[" * 17 + b"]" * 17, (400, "bad_json", None)),
        (b"[]", (400, "bad_request", None)),
        (b'"people.me"', (400, "bad_request", None)),
        (b"null", (400, "bad_request", None)),
        (b'{"id": 1}', (400, "invalid", "id")),
    ],
)
async def test_a_body_that_is_no_object_of_fields(
    http: Http, anns: str, body: bytes, answer: tuple[int, str, str | None]
) -> None:
    response = await http.request("POST", "/v1/people.me", body, JSON | bearer(anns))
    assert refusal(response) == answer


async def test_no_body_is_no_fields(http: Http, anns: str) -> None:
    for headers in (bearer(anns), JSON | bearer(anns)):
        assert (await http.request("POST", "/v1/people.me", b"", headers)).status == 200
        assert (await http.request("POST", "/v1/people.me", None, headers)).status == 200


async def test_json_says_that_it_is_json(http: Http, anns: str) -> None:
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await http.request("POST", "/v1/people.me", b"{}", {"Content-Type": kind} | bearer(anns))
        assert refusal(answer) == (400, "bad_request", None), kind
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        answer = await http.request("POST", "/v1/people.me", b"{}", {"Content-Type": kind} | bearer(anns))
        assert answer.status == 200, kind


async def test_what_changes_something_is_posted(http: Http, anns: str) -> None:
    answer = await http.request("GET", "/v1/people.update?name=Ann", headers=bearer(anns))
    assert refusal(answer) == (405, "bad_request", None)
    assert "use POST" in answer.json["error"]["message"]
    assert answer.headers["allow"] == "OPTIONS, POST"
    answer = await http.request("POST", "/v1/export", headers=bearer(anns))
    assert refusal(answer) == (405, "bad_request", None)


async def test_a_query_has_each_field_once_and_a_list_as_often_as_it_has_items(
    http: Http, anns: str, bobs: str
) -> None:
    assert (await http.call("conversations.direct", anns, **{"with": "bob"})).status == 200
    answer = await http.request("GET", "/v1/presence.get?people=ann&people=bob", headers=bearer(anns))
    assert [each["person"]["handle"] for each in answer.json["people"]] == ["ann", "bob"]
    answer = await http.request("GET", "/v1/presence.get?people=ann", headers=bearer(anns))
    assert [each["person"]["handle"] for each in answer.json["people"]] == ["ann"]
    answer = await http.request("GET", "/v1/people.get?person=ann&person=bob", headers=bearer(anns))
    assert refusal(answer) == (400, "invalid", "person")


# ---- paths


async def test_paths_that_lead_nowhere(http: Http, anns: str) -> None:
    for path in (
        "/nowhere",
        "/v1",
        "/v1/",
        "/v1/people.me/",
        "/v2/people.me",
        "/../etc/passwd",
        "/%2e%2e/x",
        "/v1/a/b",
    ):
        answer = await http.request("GET", path, headers=bearer(anns))
        assert refusal(answer)[:2] in ((404, "not_found"), (404, "unknown_command")), path


async def test_a_path_with_two_slashes_is_no_redirect_to_another_host(http: Http) -> None:
    answer = await http.request("GET", "//health")
    assert (answer.status, answer.json["status"], answer.headers.get("location")) == (200, "ok", None)


async def test_the_page_is_served_and_runs_no_inline_script(http: Http) -> None:
    page = await http.request("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<script>" not in page.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


async def test_every_answer_is_hardened(http: Http, anns: str) -> None:
    for response in (
        await http.request("GET", "/"),
        await http.get("people.me", anns),
        await http.get("people.me"),
        await http.request("GET", "/nowhere"),
        await http.request("GET", "/health"),
        await http.request("GET", "/v1/openapi.json"),
        await http.request("PUT", "/"),
    ):
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] in ("no-store", "no-cache")
        assert not {"server", "x-powered-by"} & headers.keys()
    assert (await http.get("people.me", anns)).headers["cache-control"] == "no-store"


# ---- one connection, many requests


async def test_a_connection_is_kept_alive(http: Http, anns: str) -> None:
    for _ in range(5):
        assert (await http.get("people.me", anns)).status == 200
        assert (await http.get("people.me")).status == 401


async def test_requests_sent_at_once_are_answered_in_order(http: Http, anns: str) -> None:
    targets = ["/v1/people.get?person=ann", "/nowhere", "/health", "/v1/node.info"]
    await http.send(b"".join(head("GET", target, headers=bearer(anns)) for target in targets))
    answers = [await http.response() for _ in targets]
    assert [answer.status for answer in answers] == [200, 404, 200, 200]
    assert "person" in answers[0].json
    assert answers[3].json["name"] == "chatnode"


async def test_who_asks_first_is_told_to_go_on(http: Http, anns: str) -> None:
    await http.send(head("POST", "/v1/people.me", b"{}", {"Expect": "100-continue"} | JSON | bearer(anns)))
    assert (await http.response_head())[0] == 100
    await http.send(b"{}")
    assert (await http.response()).status == 200


async def test_a_head_that_comes_in_pieces(http: Http, anns: str) -> None:
    request = head("POST", "/v1/people.me", b"{}", JSON | bearer(anns)) + b"{}"
    for at in range(0, len(request), 20):
        await http.send(request[at : at + 20])
        await trio.testing.wait_all_tasks_blocked()
    assert (await http.response()).status == 200


@pytest.mark.parametrize(
    "request_", [b"GET /health HTTP/1.0\r\n\r\n", head("GET", "/health", headers={"Connection": "close"})],
    ids=["HTTP/1.0", "Connection: close"],
)  # fmt: skip
async def test_who_wants_one_answer_gets_it_and_the_connection_ends(http: Http, request_: bytes) -> None:
    await http.send(request_)
    assert (await http.response()).status == 200
    with trio.fail_after(10):
        assert await http.rest() == b""


# ---- the requester


async def test_a_token_comes_as_bearer(http: Http, ann: User, anns: str) -> None:
    for authorization in (f"Bearer {anns}", f"bearer {anns}", f"BEARER  {anns} "):
        answer = await http.request("GET", "/v1/people.me", headers={"Authorization": authorization})
        assert answer.json["person"]["id"] == ann.id
    for authorization in ("", "Bearer", "Bearer ", f"Basic {anns}", anns, "Bearer x"):
        answer = await http.request("GET", "/v1/people.me", headers={"Authorization": authorization})
        assert refusal(answer) == (401, "unauthenticated", None), authorization
    assert (await http.request("GET", f"/v1/people.me?token={anns}")).status == 401  # never in the URL


async def test_signing_in_sets_a_cookie_that_no_script_can_read(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    done = await http.call("sessions.create", handle="ann", password=PASSWORD)
    cookie, *attributes = re.split("; *", done.headers["set-cookie"])
    assert cookie == f"{COOKIE}={done.json['token']}"
    assert {"httponly", "samesite=lax", "path=/"} <= {attribute.lower() for attribute in attributes}
    assert "secure" not in {attribute.lower() for attribute in attributes}  # plain HTTP on loopback
    for cookies in (
        cookie,
        f"a=b; {cookie}",
        f"{cookie}; a=b",
        f'theirs={{"a": [1, 2]}}; {cookie}',
        f"a=b c; {cookie}",
    ):
        answer = await http.request("GET", "/v1/people.me", headers={"Cookie": cookies})
        assert answer.status == 200, cookies
        assert answer.json["person"]["handle"] == "ann"


@pytest.mark.parametrize(
    "config", [Config(server=Server(public_url="https://chat.example.org", origins=("https://app.example.org",)))],
    ids=[""],
)  # fmt: skip
async def test_behind_tls_the_cookie_is_for_tls_only(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    done = await http.call("sessions.create", handle="ann", password=PASSWORD)
    assert "secure" in done.headers["set-cookie"].lower()


@pytest.mark.parametrize("config", [Config(server=Server(origins=("https://app.example.org",)))], ids=[""])
async def test_the_cookie_counts_for_pages_of_our_own_and_of_listed_origins(http: Http, anns: str) -> None:
    cookie = {"Cookie": f"{COOKIE}={anns}", "Host": "chat.example.org:8008"}
    counts = {
        "": True,
        "http://chat.example.org:8008": True,
        "https://chat.example.org:8008": True,
        "https://app.example.org": True,
        "HTTPS://App.Example.org:443": True,
        "https://evil.example.org": False,
        "https://evilapp.example.org": False,
        "https://app.example.org.evil.org": False,
        "https://app.example.org:444": False,
        "https://app.example.org/": True,
        "https://app.example.org/x": False,
        "https://app.example.org, https://evil.example.org": False,
        "http://evilchat.example.org:8008": False,
        "http://example.org:8008": False,
        "http://chat.example.org:80080": False,
        "https://chat.example.org": False,  # another port
        "http://chat.example.org:8008.evil.org": False,
        "null": False,
        "file://": False,
        "https://[": False,
    }
    found = {}
    for origin in counts:
        headers = cookie | {"Origin": origin}
        found[origin] = (await http.request("GET", "/v1/people.me", headers=headers)).status == 200
        posted = (await http.request("POST", "/v1/people.me", b"{}", JSON | headers)).status == 200
        assert posted == found[origin]
    assert found == counts
    answer = await http.request("GET", "/v1/people.me", headers=bearer(anns) | {"Origin": "https://evil.example.org"})
    assert answer.status == 200  # a bearer token is nothing that a browser adds by itself


@pytest.mark.parametrize(
    "config", [Config(server=Server(public_url="https://Chat.example.org/", trusted_proxies=("127.0.0.1",)))], ids=[""]
)
async def test_a_page_of_the_public_url_is_our_own_whatever_host_the_proxy_names(http: Http, anns: str) -> None:
    for host in ("chat.example.org", "chat.example.org:443", "127.0.0.1:8008", "backend"):
        found = {}
        for origin in ("https://chat.example.org", "https://evil.example.org", "http://chat.example.org:8080"):
            headers = {"Cookie": f"{COOKIE}={anns}", "Host": host, "Origin": origin}
            found[origin] = (await http.request("GET", "/v1/people.me", headers=headers)).status
        assert list(found.values()) == [200, 401, 401], host


CONTENT_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain")
"""What a form, or a script without leave, can send to another site."""


@pytest.mark.parametrize("kind", CONTENT_TYPES)
async def test_a_form_of_another_site_does_nothing(http: Http, ann: User, anns: str, kind: str) -> None:
    """Without an Origin, as an old browser or a proxy may send it, the cookie is there and the JSON is not."""
    other = (await token_of(ann)).secret
    cookie = {"Cookie": f"{COOKIE}={anns}"}
    for body in (b"", b"x=y", b"{}"):
        answer = await http.request("POST", "/v1/sessions.revoke_others", body, cookie | {"Content-Type": kind})
        assert refusal(answer) == (400, "bad_request", None), body
        assert "must be JSON" in answer.error["message"]
        assert (await http.get("people.me", other)).status == 200, body
    done = await http.request("POST", "/v1/sessions.revoke_others", b"{}", cookie | JSON)
    assert done.json == {"revoked": 1}  # so that it is the form that is refused


# ---- the cookie of a browser


async def sign_in(http: Http, **headers: str) -> Response:
    body = json.dumps({"handle": "ann", "password": PASSWORD}).encode()
    return await http.request("POST", "/v1/sessions.create", body, JSON | headers)


def cookie_of(response: Response) -> dict[str, str]:
    """Name, value and flags of the cookie that an answer sets; empty if it sets none."""
    found: dict[str, str] = {}
    if "set-cookie" in response.headers:
        pair, *flags = response.headers["set-cookie"].split("; ")
        found["name"], found["value"] = pair.split("=", 1)
        found |= {flag.partition("=")[0].lower(): flag.partition("=")[2] for flag in flags}
        found.pop("expires", None)  # max-age says the same, whatever the time is
    return found


def signed_in(cookie: dict[str, str], **headers: str) -> dict[str, str]:
    return {"Cookie": f"{cookie['name']}={cookie['value']}"} | headers


@pytest.mark.parametrize(
    "config", [Config(server=Server(trusted_proxies=("127.0.0.0/8",)))], ids=["behind a proxy without a public_url"]
)
async def test_a_trusted_proxy_says_that_the_browser_speaks_tls(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    found = {
        said: "secure" in cookie_of(await sign_in(http, **{"X-Forwarded-Proto": said}))
        for said in ("https", "HTTPS", "http, https", "http", "https, http", "")
    }
    assert found == {"https": True, "HTTPS": True, "http, https": True, "http": False, "https, http": False, "": False}


async def test_nobody_else_is_believed_about_tls(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    assert "secure" not in cookie_of(await sign_in(http, **{"X-Forwarded-Proto": "https"}))


async def test_a_page_of_another_site_signs_nobody_in(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    for origin in ("https://evil.example.org", "null", "http://localhost.evil.org"):
        assert cookie_of(await sign_in(http, Origin=origin)) == {}, origin
    for origin in ("http://localhost", ""):
        assert cookie_of(await sign_in(http, Origin=origin))["value"], origin
    body = json.dumps({"handle": "ann", "password": PASSWORD}).encode()
    for kind in CONTENT_TYPES:
        answer = await http.request("POST", "/v1/sessions.create", body, {"Content-Type": kind})
        assert refusal(answer) == (400, "bad_request", None), kind
        assert cookie_of(answer) == {}


async def test_two_nodes_on_one_host_have_cookies_of_their_own(http: Http, node: Node) -> None:
    """A browser keeps one set of cookies for all ports of a host."""
    await with_password(node, "ann")
    names = {}
    for host in ("localhost", "localhost:80", "localhost:443", "localhost:8008", "[::1]:8009"):
        cookie = cookie_of(await sign_in(http, Host=host))
        names[host] = cookie["name"]
        answer = await http.request("GET", "/v1/people.me", headers=signed_in(cookie, Host=host))
        assert answer.json["person"]["handle"] == "ann", host
    assert names == {
        "localhost": COOKIE, "localhost:80": COOKIE, "localhost:443": COOKIE,
        "localhost:8008": f"{COOKIE}_8008", "[::1]:8009": f"{COOKIE}_8009",
    }  # fmt: skip
    own = signed_in(cookie_of(await sign_in(http, Host="localhost:8008")))["Cookie"]
    headers = {"Cookie": f"{COOKIE}_8009=of-another-node; {COOKIE}=of-a-third; {own}", "Host": "localhost:8008"}
    answer = await http.request("GET", "/v1/people.me", headers=headers)
    assert answer.status == 200


@pytest.mark.parametrize("config", [Config(accounts=Accounts(session_days=3))], ids=["session_days=3"])
async def test_the_cookie_lives_as_long_as_the_session_and_slides_with_it(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    cookie = cookie_of(await sign_in(http))
    assert cookie["max-age"] == str(3 * 86_400)
    asked = []
    for _ in range(2):
        await forget_use(node)
        for _ in range(3):
            answer = await http.request("GET", "/v1/people.me", headers=signed_in(cookie))
            asked.append(cookie_of(answer))
        assert await days_left(node) > 2.9
    assert asked[0] == asked[3] == cookie
    assert asked[1:3] == asked[4:] == [{}, {}]


async def test_the_cookie_slides_with_every_kind_of_answer(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    cookie = cookie_of(await sign_in(http))
    for method, path, status in (
        ("POST", "/v1/people.me", 200), ("GET", "/items/people?limit=1", 200), ("GET", "/plugins", 200),
        ("GET", "/v1/people.get?person=nobody", 404), ("GET", "/v1/export", 200), ("HEAD", "/v1/events", 200),
    ):  # fmt: skip
        await forget_use(node)
        body, headers = (b"{}", JSON) if method == "POST" else (None, {})
        answer = await http.request(method, path, body, signed_in(cookie) | headers)
        assert (answer.status, cookie_of(answer)) == (status, cookie), path


async def test_only_a_devices_cookie_slides(http: Http, node: Node, ann: User) -> None:
    token = (await token_of(ann, days=1)).secret
    answer = await http.request("GET", "/v1/people.me", headers={"Cookie": f"{COOKIE}={token}"})
    assert (answer.status, cookie_of(answer)) == (200, {})
    await with_password(node, "bob")
    body = json.dumps({"handle": "bob", "password": PASSWORD}).encode()
    device = (await http.request("POST", "/v1/sessions.create", body, JSON)).json["token"]
    await forget_use(node)
    answer = await http.request("GET", "/v1/people.me", headers=bearer(device))
    assert (answer.status, cookie_of(answer)) == (200, {})  # a program's, which has no cookie


async def test_an_export_goes_on_when_its_cookie_slides_in_the_middle(
    http: Http, node: Node, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_password(node, "bob")
    body = json.dumps({"handle": "bob", "password": PASSWORD}).encode()
    cookie = cookie_of(await http.request("POST", "/v1/sessions.create", body, JSON))
    monkeypatch.setattr(sessions, "TOUCH_MS", -1)
    answer = await http.request("GET", "/v1/export?limit=1", headers=signed_in(cookie))
    assert json.loads(answer.body.splitlines()[-1])["kind"] == "end"
    assert len(answer.body.splitlines()) > 2


async def test_signing_out_ends_the_session_and_takes_the_cookie_away(http: Http, node: Node, ann: User) -> None:
    bob = await with_password(node, "bob")
    body = json.dumps({"handle": "bob", "password": PASSWORD}).encode()
    for signed_in_at, host, name in (
        ("localhost", "localhost", COOKIE),
        ("localhost:8008", "localhost:8008", f"{COOKIE}_8008"),
        ("localhost", "localhost:8008", COOKIE),  # from before the node had a port in its address
    ):
        cookie = cookie_of(await http.request("POST", "/v1/sessions.create", body, JSON | {"Host": signed_in_at}))
        headers = JSON | signed_in(cookie, Host=host)
        other = (await http.request("POST", "/v1/sessions.create", body, JSON)).json["token"]
        listed = (await http.request("GET", "/v1/sessions.list", headers=headers)).json["sessions"]
        (own,) = [each["session"] for each in listed if each["current"]]
        elsewhere = max(each["session"] for each in listed)

        revoked = json.dumps({"session": elsewhere}).encode()
        answer = await http.request("POST", "/v1/sessions.revoke", revoked, headers)
        assert (answer.status, cookie_of(answer)) == (200, {})  # of another device
        assert (await http.get("people.me", other)).status == 401

        program = await token_of(bob)
        revoked = json.dumps({"session": await program.session()}).encode()
        answer = await http.request("POST", "/v1/sessions.revoke", revoked, JSON | bearer(program.secret))
        assert (answer.status, cookie_of(answer)) == (200, {})  # nothing to do with the browser's cookie

        wrong = await http.request("POST", "/v1/sessions.revoke", b'{"session": 99999}', headers)
        assert (wrong.status, cookie_of(wrong)) == (404, {})

        await forget_use(node)  # so that the cookie would slide
        answer = await http.request("POST", "/v1/sessions.revoke", json.dumps({"session": own}).encode(), headers)
        gone = cookie_of(answer)
        assert (answer.status, gone["name"], gone["value"], gone["max-age"]) == (200, name, "", "0")
        assert {"path", "httponly", "samesite"} <= gone.keys()
        assert (await http.request("GET", "/v1/people.me", headers=headers)).status == 401


async def forget_use(node: Node) -> None:
    """As if every session had been used last an hour ago, with a day left."""
    await node.core.db.write(
        lambda tx: tx.execute(
            "UPDATE sessions SET last_used_at = ?, expires_at = ? WHERE kind = 'device'",
            (tx.now - 3_600_000, tx.now + 86_400_000),
        )
    )


async def days_left(node: Node) -> float:
    (row,) = await node.core.db.read(lambda reader: reader.execute("SELECT expires_at FROM sessions").fetchall())
    return (row[0] - now_ms()) / 86_400_000


async def test_a_signed_out_token_is_worth_nothing(http: Http, ann: User, anns: str) -> None:
    number = (await http.get("sessions.list", anns)).json["sessions"][0]["session"]
    assert (await http.call("sessions.revoke", anns, session=number)).json == {"revoked": 1}
    assert refusal(await http.get("people.me", anns)) == (401, "unauthenticated", None)


# ---- where they ask from


def proxied(*proxies: str) -> Config:
    return Config(server=Server(trusted_proxies=proxies), limits=Limits(logins_per_minute=1))


async def attempt(http: Http, *forwarded: str) -> int:
    """One attempt with an invite code, which counts against its address; gives the status."""
    body = json.dumps({"code": "guess", "handle": "eve", "password": PASSWORD}).encode()
    lines = "".join(f"X-Forwarded-For: {value}\r\n" for value in forwarded).encode()
    request = head("POST", "/v1/invites.accept", body, JSON)
    await http.send(request[:-2] + lines + b"\r\n" + body)
    return (await http.response()).status


@pytest.mark.parametrize("config", [proxied()], ids=["no proxy"])
async def test_nobody_is_believed_about_where_they_come_from(http: Http) -> None:
    assert [await attempt(http, f"198.51.100.{number}") for number in (1, 2)] == [404, 429]


@pytest.mark.parametrize("config", [proxied("127.0.0.1", "10.0.0.1")], ids=["behind proxies"])
async def test_but_for_proxies_that_the_settings_name(http: Http) -> None:
    assert [await attempt(http, "198.51.100.1"), await attempt(http, "198.51.100.1")] == [404, 429]
    assert await attempt(http, "198.51.100.2") == 404
    # What the client made up stands left of what the proxies saw.
    assert await attempt(http, "203.0.113.9, 198.51.100.2") == 429
    assert await attempt(http, "198.51.100.2, 10.0.0.1") == 429
    assert await attempt(http, "198.51.100.3, 10.0.0.1, 127.0.0.1") == 404
    # A proxy may add a field of its own instead of a value.
    assert await attempt(http, "203.0.113.9", "198.51.100.3") == 429


@pytest.mark.parametrize("config", [proxied("127.0.0.0/8", "10.0.0.0/8")], ids=["behind networks of proxies"])
async def test_one_client_is_one_client_however_its_address_is_written(http: Http) -> None:
    for client in (
        (
            "198.51.100.1",
            "198.51.100.1:51234",
            "198.51.100.1:51235",
            "::ffff:198.51.100.1",
            "198.51.100.1, 10.9.9.9:80",
        ),
        ("2001:db8::7", "[2001:db8::7]:443", "[2001:db8::8]", "2001:db8:0:0:ffff::1", "2001:DB8::7%eth0"),
        ("unknown", "_hidden", "nonsense", "198.51.100.77x", "198.51.100.9, unknown"),
    ):
        found = [await attempt(http, forwarded) for forwarded in client]
        assert found == [404, 429, 429, 429, 429], client
    assert await attempt(http, "2001:db8:0:1::7") == 404  # the /64 beside it


# ---- bodies


@pytest.mark.parametrize("config", [Config(limits=Limits(body_bytes=1_000))], ids=["body_bytes=1000"])
@pytest.mark.parametrize("how", ["length", "streamed", "streamed without end"])
async def test_a_body_that_is_too_large_is_not_read_to_its_end(
    http: Http, address: Address, anns: str, how: str
) -> None:
    exact = json.dumps({"name": "x" * 50}).encode().ljust(1_000)
    assert (await http.request("POST", "/v1/people.update", exact, JSON | bearer(anns))).status == 200
    if how == "length":
        await http.send(head("POST", "/v1/people.update", b" " * 1_001, JSON | bearer(anns)))
    else:
        await http.send(head("POST", "/v1/people.update", None, {"Transfer-Encoding": "chunked"} | JSON | bearer(anns)))
        await http.send(b"1f4\r\n" + b" " * 500 + b"\r\n")
        await http.send(b"1f5\r\n" + b" " * 501 + b"\r\n")
        if how == "streamed":
            await http.send(b"0\r\n\r\n")
    answer = await http.response()
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    async with await Http.open(address) as other:
        assert (await other.get("people.me", anns)).status == 200


@pytest.mark.parametrize("config", [Config(limits=Limits(body_bytes=0, message_chars=0))], ids=["body_bytes=0"])
async def test_no_limit_on_a_body_is_none(http: Http, ann: User, anns: str) -> None:
    notes = await ann.direct(ann)
    text = "€" * 900_000
    posted = await http.call("messages.post", anns, conversation=notes, cid="one", text=text)
    assert posted.status == 200
    assert (await http.get("messages.list", anns, conversation=notes)).json["messages"][0]["text"] == text


# ---- health


async def test_health_is_told_to_anybody(http: Http, node: Node, ann: User, anns: str) -> None:
    well = await http.request("GET", "/health")
    assert (well.status, well.json["status"]) == (200, "ok")
    parts = {"sessions", "writing", "reading", "disk", "jobs", "clock", "search", "plugins", "work"}
    assert set(well.json["parts"]) == parts | {f"plugin.{name}" for name in node.plugins.probes()}
    node.core.db.broken = "as in a test"
    ill = await http.request("GET", "/health")
    assert (ill.status, ill.json["status"]) == (503, "failing")
    assert ill.json["parts"]["writing"]["status"] == "failing"
    assert ill.json["parts"]["reading"]["status"] == "ok"
    answer = await http.call("people.update", anns, name="Ann")
    assert refusal(answer) == (503, "unavailable", None)


async def test_reading_goes_on_when_storage_takes_no_writes(http: Http, node: Node, ann: User, anns: str) -> None:
    """A token that was not used for a while would be noted as used, which must not stand in the way."""
    node.core.db.broken = "as in a test"
    assert (await http.get("people.me", anns)).status == 200


# ---- the OpenAPI document


@pytest.fixture
async def document(http: Http) -> dict[str, Any]:
    answer = await http.request("GET", "/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json


async def test_the_document_is_valid_and_names_every_command(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["paths"].keys() >= {f"/v1/{command.name}" for command in COMMANDS}
    for command in COMMANDS:
        operations = document["paths"][f"/v1/{command.name}"]
        assert set(operations) == ({"get", "post"} if command.reads else {"post"})
        assert operations["post"]["summary"], command.name
        assert ("security" in operations["post"]) == (command.permission is None)
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))


async def test_the_document_describes_what_is_really_asked_and_answered(
    http: Http, node: Node, ann: User, anns: str, bob: User, document: dict[str, Any]
) -> None:
    root = (await token_of(await User.new(node, "root", admin=True))).secret
    talk = await ann.direct(bob)
    room = await ann.group(bob, visibility="public", title="garden")
    first = await ann.posts(talk, "hello @bob")
    theirs = await bob.posts(talk, "hello", reply_to=first["message"])
    imported = (await node.call("import.conversation", source="irc", key="#x", title="#x"))["conversation"]
    items = [{"cid": "1", "author": "Ada", "at": 0, "text": "x" * size, "metadata": {"a": "b"}} for size in (1, 16_001)]
    work = await stored_work(node, ann)
    deploying = await ann.group(title="deploying")
    bot = await make_bot(node, "ci", DEPLOY, room=deploying, by=ann)
    bots, offer = (await token_of(bot)).secret, await with_buttons(bot, deploying)
    invocation = await invoked(node, ann, deploying)
    asked: list[tuple[str, str | None, dict[str, Any]]] = [
        ("node.info", None, {}),
        ("people.create", root, {"handle": "cy", "name": "Cy"}),
        ("people.me", anns, {}),
        ("people.get", anns, {"person": "bob"}),
        ("people.list", anns, {"prefix": "b", "limit": 2}),
        ("people.update", anns, {"name": "Ann", "avatar": ""}),
        ("people.role", root, {"person": "cy", "role": "admin"}),
        ("people.sessions", root, {"person": "cy"}),
        ("people.sign_out", root, {"person": "cy"}),
        ("people.reset_link", root, {"person": "cy"}),
        ("people.deactivate", root, {"person": "cy"}),
        ("people.reactivate", root, {"person": "cy"}),
        ("people.export", anns, {"limit": 3}),
        ("roles.list", root, {}),
        ("roles.set", root, {"role": "helper", "permissions": ["chat", "moderate"]}),
        ("roles.delete", root, {"role": "helper"}),
        ("audit.list", root, {"actor": "root", "limit": 2}),
        ("sessions.list", anns, {}),
        ("sessions.rename", anns, {"session": 1, "label": "phone"}),
        ("tokens.create", anns, {"label": "x", "days": 3}),
        ("invites.create", root, {"uses": 2, "days": 3}),
        ("invites.list", root, {}),
        ("invites.revoke", root, {"invite": 1}),
        ("conversations.direct", anns, {"with": "bob"}),
        ("conversations.create", anns, {"title": "x", "members": ["bob"], "history": "all"}),
        ("conversations.find_or_create", anns, {"context": {"type": "order", "id": "8"}, "members": ["bob"]}),
        ("conversations.get", anns, {"conversation": talk}),
        ("conversations.update", anns, {"conversation": room, "title": "y"}),
        ("conversations.public", anns, {"query": ""}),
        ("conversations.join", anns, {"conversation": room}),
        ("conversations.members.list", anns, {"conversation": room}),
        ("conversations.members.role", anns, {"conversation": room, "member": "bob", "role": "admin"}),
        ("conversations.members.add", anns, {"conversation": room, "member": "cy"}),
        ("conversations.members.remove", anns, {"conversation": room, "member": "cy"}),
        ("messages.post", anns, {"conversation": talk, "cid": "x", "text": "x", "reply_to": first["message"]}),
        ("messages.list", anns, {"conversation": talk, "after": 0}),
        ("messages.get", anns, {"message": first["message"]}),
        ("messages.edit", anns, {"message": first["message"], "text": "hullo"}),
        ("messages.history", anns, {"message": first["message"]}),
        ("messages.post", anns, {"conversation": talk, "cid": "y", "text": "x", "thread": first["message"]}),
        ("messages.thread", anns, {"message": first["message"]}),
        ("messages.pin", anns, {"message": first["message"]}),
        ("messages.pinned", anns, {"conversation": talk}),
        ("messages.unpin", anns, {"message": first["message"]}),
        ("messages.report", anns, {"message": theirs["message"], "reason": "spam", "note": "again"}),
        ("reports.list", root, {}),
        ("retention.list", root, {}),
        ("reports.resolve", root, {"report": 1, "resolution": "deleted"}),
        ("messages.delete", anns, {"message": first["message"]}),
        ("messages.get", anns, {"message": first["message"]}),
        ("conversations.support", anns, {"title": "help", "context": {"type": "order", "id": "7"}}),
        (
            "conversations.settings",
            anns,
            {"conversation": talk, "starred": True, "muted_until": "2030-01-01T00:00:00Z"},
        ),
        ("conversations.close", anns, {"conversation": room, "reason": "completed"}),
        ("conversations.get", anns, {"conversation": room}),
        ("conversations.reopen", anns, {"conversation": room}),
        ("people.block", anns, {"person": "cy"}),
        ("people.blocked", anns, {}),
        ("people.unblock", anns, {"person": "cy"}),
        ("people.erase", root, {"person": "cy", "handle": "cy"}),
        ("receipts.read", anns, {"conversation": talk, "seq": 2}),
        ("receipts.delivered", anns, {"conversation": talk, "seq": 2}),
        ("receipts.list", anns, {"message": first["message"]}),
        ("receipts.read_all", anns, {}),
        ("inbox.list", anns, {"limit": 1}),
        ("inbox.list", anns, {"unread": True, "archived": False, "starred": True}),
        ("search.messages", anns, {"query": "hello", "limit": 1}),
        ("conversations.context", anns, {"type": "order", "id": "7"}),
        (
            "items.query",
            anns,
            {"collection": "messages", "filter": {"conversation_id": {"_eq": talk}}, "sort": "-seq", "limit": 1},
        ),
        ("items.query", anns, {"collection": "messages", "group_by": "sender_id"}),
        ("search.messages", anns, {"query": "hullo"}),
        ("presence.get", anns, {"people": ["ann", "bob"]}),
        ("presence.status", anns, {"text": "busy", "emoji": "🔧", "seconds": 60}),
        ("presence.visible", anns, {"visible": True}),
        ("presence.history", anns, {}),
        ("typing", anns, {"conversation": talk}),
        ("typing.list", anns, {"conversation": talk}),
        ("import.conversation", root, {"source": "irc", "key": "#y", "title": "#y"}),
        ("import.missing", root, {"source": "irc", "key": "#y", "items": [{"cid": "1", "author": "Ada"}]}),
        ("import.messages", root, {"conversation": imported, "source": "irc", "items": items}),
        ("people.adopt", root, {"author": "ada", "dry_run": True}),
        ("backup.create", root, {}),
        ("certificate.status", root, {}),
        ("jobs.list", root, {}),
        ("jobs.run", root, {"job": "expired"}),
        ("plugins.list", root, {}),
        ("plugins.consumers", root, {}),
        ("plugins.set_aside", root, {}),
        ("plugins.disable", root, {"plugin": "reactions"}),
        ("plugins.enable", root, {"plugin": "reactions"}),
        ("work.list", anns, {"status": "waiting", "limit": 1}),
        ("work.pause", anns, {"work": work}),
        ("work.resume", root, {"work": work}),
        ("work.cancel", anns, {"work": work}),
        ("work.get", root, {"work": work}),
        ("node.check", root, {}),
        ("node.repair", root, {}),
        ("node.address", root, {}),
        ("node.statistics", root, {}),
        ("bots.create", root, {"handle": "helper"}),
        ("bots.list", root, {}),
        ("bots.token", root, {"bot": "helper", "label": "x", "days": 3}),
        ("bots.remove", root, {"bot": "helper"}),
        ("bots.commands.set", bots, {"commands": [DEPLOY]}),
        ("slash.list", anns, {"conversation": deploying}),
        ("slash.run", anns, {"conversation": deploying, "text": "/deploy main", "cid": "1"}),
        ("actions.invoke", anns, {"message": offer, "action": "approve", "cid": "2"}),
        ("slash.reply", bots, {"invocation": invocation, "text": "done"}),
        ("conversations.leave", anns, {"conversation": room}),
        ("sessions.revoke_others", root, {}),
    ]
    for command, token, fields in asked:
        operation = document["paths"][f"/v1/{command}"]["post"]
        validate(document, operation["requestBody"]["content"], fields)
        answer = await http.call(command, token, **fields)
        assert answer.status == 200, (command, answer.body)
        validate(document, operation["responses"]["200"]["content"], answer.json)
    # Not tried: they hash a password, or end what the test uses.
    left = {"sessions.create", "sessions.revoke", "invites.accept", "setup.create", "people.password"}
    left |= {"people.reset_password"}
    # These need an authority: tests/certificates/test_pebble.py.
    left |= {"certificate.issue", "certificate.revoke"}
    # These need a plugin that fails or is not there: tests/plugins/core/test_plugin_commands.py.
    left |= {f"plugins.{each}" for each in ("replay", "retry", "dismiss", "drop", "export")}
    assert {command for command, _, _ in asked} == {command.name for command in COMMANDS} - left


async def test_the_document_describes_errors_and_refuses_what_the_node_refuses(
    http: Http, anns: str, document: dict[str, Any]
) -> None:
    for command, fields in (
        ("people.get", {}),
        ("people.get", {"person": 7}),
        ("people.list", {"limit": 0}),
        ("people.list", {"surprise": 1}),
        ("people.update", {"avatar": "javascript:alert(1)"}),
        ("messages.list", {"conversation": "X" * 32}),
        ("conversations.create", {"title": "x", "visibility": "hidden"}),
        ("conversations.create", {"title": "x", "members": ["a"] * 1_001}),
    ):
        operation = document["paths"][f"/v1/{command}"]["post"]
        with pytest.raises(jsonschema.ValidationError):
            validate(document, operation["requestBody"]["content"], fields)
        answer = await http.call(command, anns, **fields)
        assert refusal(answer)[:2] == (400, "invalid")
        validate(document, operation["responses"]["default"]["content"], answer.json)


def validate(document: dict[str, Any], content: dict[str, Any], value: Any) -> None:
    schema = content["application/json"]["schema"] | {"components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


# ---- faults of ours


async def test_a_fault_of_ours_is_told_by_reference_only(
    node: Node, anns: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the inner workings")

    replace_handler(node, "people.me", fail)
    async with serving(node) as address, await Http.open(address) as http:
        answer = await http.get("people.me", anns)
    assert refusal(answer) == (500, "internal", None)
    assert b"inner workings" not in answer.raw
    reference = answer.error["message"].split()[-1]
    assert reference in caplog.text
    record = next(record for record in caplog.records if reference in record.message)
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "RuntimeError('the inner workings')"
