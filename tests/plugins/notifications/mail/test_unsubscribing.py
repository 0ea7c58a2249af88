"""The link that stops mails: without signing in, by POST alone."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

import trio
from chatnode_notifications.preferences.model import DigestTime

from chatnode.node import Node
from chatnode.testing import User, fetch
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import SITE, deliver, next_digest, notified, verified, wants
from tests.plugins.sql import change, rows

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def path_in_a_mail(node: Node, sender: User, to: User, server: MailServer) -> str:
    """The path of the link in the header. The node must not serve yet: then its own task would send the mail."""
    await notified(node, to, await sender.says(await sender.direct(to), "hello"))
    assert await deliver(node)
    mail = server.mails()[-1]
    link = str(mail.message["List-Unsubscribe"]).strip("<>")
    assert link in mail.part("plain")
    assert link in mail.part("html")
    assert link.startswith(SITE)
    return urlsplit(link).path


async def serve(node: Node, nursery: trio.Nursery) -> str:
    return await nursery.start(node.serve, "127.0.0.1:0")


async def mail_of(node: Node, user: User) -> str:
    return (await rows(node, "SELECT mail FROM notifications_people WHERE person = ?", user.key))[0][0]


async def test_only_a_post_stops_mails(
    node: Node, nursery: trio.Nursery, anna: User, ben: User, server: MailServer
) -> None:
    path = await path_in_a_mail(node, anna, ben, server)
    link = await serve(node, nursery) + path
    for method in ("GET", "HEAD", "GET"):
        page = await fetch(link, method=method)
        assert page.status == 200
        assert "no-store" in page.headers["cache-control"]
    text = (await fetch(link)).text
    assert '<form method="post">' in text
    assert 'name="List-Unsubscribe" value="One-Click"' in text
    assert await mail_of(node, ben) == "instant"
    for _ in range(2):  # repeating it is fine
        done = await fetch(link, method="POST", body=urlencode(ONE_CLICK).encode(), headers=FORM)
        assert done.status == 200
        assert "any more of these emails" in done.text
        assert await mail_of(node, ben) == "off"
    server.forget()
    await notified(node, ben, await anna.says(await anna.direct(ben), "again"))
    assert await deliver(node)
    assert server.mails() == []


async def test_as_mail_programs_post_it(
    node: Node, nursery: trio.Nursery, anna: User, ben: User, server: MailServer
) -> None:
    """RFC 8058 lets them send either form; without the field, nothing is changed."""
    path = await path_in_a_mail(node, anna, ben, server)
    link = await serve(node, nursery) + path
    for body in (b"", b"x=y", b"x" * 10_000):
        assert (await fetch(link, method="POST", body=body, headers=FORM)).status in (400, 413)
    assert await mail_of(node, ben) == "instant"
    multipart = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await fetch(link, method="POST", body=multipart, headers=headers)).status == 200
    assert await mail_of(node, ben) == "off"


async def test_a_link_stops_its_own_kind_at_its_own_address(
    node: Node, nursery: trio.Nursery, anna: User, ben: User, server: MailServer
) -> None:
    instant = await path_in_a_mail(node, anna, ben, server)
    await wants(node, ben, "digest", digest=DigestTime())
    await notified(node, ben, await anna.says(await anna.direct(ben), "one"))
    await next_digest(node, server)
    digest = urlsplit(str(server.mails()[0].message["List-Unsubscribe"]).strip("<>")).path
    url, body = await serve(node, nursery), urlencode(ONE_CLICK).encode()
    instant, digest = url + instant, url + digest
    assert (await fetch(instant, method="POST", body=body, headers=FORM)).status == 200
    assert await mail_of(node, ben) == "digest"
    # The digest's own link; after it, nothing is due any more.
    assert (await fetch(digest, method="POST", body=body, headers=FORM)).status == 200
    assert await rows(node, "SELECT mail, next_digest_at FROM notifications_people") == [("off", None)]
    # Mails that go to another address by now are not its business.
    await wants(node, ben, "instant")
    await verified(ben, server, "new@example.net")
    assert (await fetch(instant, method="POST", body=body, headers=FORM)).status == 200
    assert await mail_of(node, ben) == "instant"


async def test_a_link_that_the_node_did_not_make_does_nothing(
    node: Node, nursery: trio.Nursery, anna: User, ben: User, server: MailServer
) -> None:
    path = await path_in_a_mail(node, anna, ben, server)
    link = await serve(node, nursery) + path
    base, token = link.rsplit("/", 1)
    person, kind, tag, mac = token.split(".")
    eve = await User.new(node, "eve")
    await verified(eve, server)
    await wants(node, eve, "instant")
    body = urlencode(ONE_CLICK).encode()
    for wrong in (
        f"{eve.id}.{kind}.{tag}.{mac}", f"{person}.digest.{tag}.{mac}", f"{person}.{kind}.{tag[::-1]}.{mac}",
        f"{person}.{kind}.{tag}.{mac[:-1]}", f"{person}.{kind}.{tag}", f"{token}.x", "x", "....", "%C3%A9.a.b.c",
    ):  # fmt: skip
        for method in ("GET", "POST"):
            answer = await fetch(f"{base}/{wrong}", method=method, body=body if method == "POST" else b"", headers=FORM)
            assert answer.status == 404, wrong
    assert [await mail_of(node, user) for user in (ben, eve)] == ["instant", "instant"]


async def test_it_works_for_a_user_who_is_signed_in_with_any_token(
    node: Node, nursery: trio.Nursery, anna: User, ben: User, server: MailServer
) -> None:
    path = await path_in_a_mail(node, anna, ben, server)
    link = await serve(node, nursery) + path
    await change(node, "UPDATE notifications_people SET language = 'fr'")
    body = urlencode(ONE_CLICK).encode()
    done = await fetch(link, await anna.token(), method="POST", body=body, headers=FORM)
    assert done.status == 200
    assert '<html lang="fr">' in done.text
    assert await mail_of(node, ben) == "off"
