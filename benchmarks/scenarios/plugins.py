"""What the plugins that come with chatnode cost those who post: the load of `pairs` with all of them and with none."""

from benchmarks.scenario import Scenario
from benchmarks.switching import metrics, posting
from chatnode.hooks.discovery import installed

BUILT_IN = tuple(each.name for each in installed() if each.distribution == "chatnode")

PLUGINS = Scenario(
    name="plugins",
    title="Posting with all built-in plugins and with none, {pairs:,} pairs, one in flight per pair",
    rounds=3,
    metrics=metrics(", ".join(BUILT_IN), at_most=10),
    measure=posting({"CHATNODE_PLUGINS__DISABLED": ""}, {"CHATNODE_PLUGINS__DISABLED": ",".join(BUILT_IN)}),
    only_the_node=True,
)
