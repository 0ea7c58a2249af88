"""What the plugins that come with chatnode cost those who post: the load of `pairs` with all of them and with none."""

from benchmarks.http_client import Person
from benchmarks.scenario import Scenario
from benchmarks.servers import Server
from benchmarks.switching import metrics, posting
from chatnode.hooks.discovery import installed

BUILT_IN = tuple(each.name for each in installed() if each.distribution == "chatnode")


def become_contacts(server: Server, sender: Person, reader: Person) -> None:
    """So that every message counts for the list of each."""
    with server.client(sender.token) as client:
        client.call("contacts.request", person=reader.handle)
    with server.client(reader.token) as client:
        client.call("contacts.accept", person=sender.handle)


PLUGINS = Scenario(
    name="plugins",
    title="Posting with all built-in plugins and with none, {pairs:,} pairs, one in flight per pair",
    rounds=3,
    metrics=metrics(", ".join(BUILT_IN), at_most=5),
    measure=posting(
        {"CHATNODE_PLUGINS__DISABLED": ""}, {"CHATNODE_PLUGINS__DISABLED": ",".join(BUILT_IN)}, become_contacts
    ),
    only_the_node=True,
)
