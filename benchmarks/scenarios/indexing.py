"""What the index of search costs those who post: the load of `pairs` with it and without."""

from benchmarks.scenario import Scenario
from benchmarks.switching import metrics, posting

INDEXING = Scenario(
    name="indexing",
    title="Posting with and without the index of search, {pairs:,} pairs, one in flight per pair",
    rounds=3,
    metrics=metrics("the index", at_most=15),
    measure=posting({"CHATNODE_SEARCH__ENABLED": "1"}, {"CHATNODE_SEARCH__ENABLED": "0"}),
    only_the_node=True,
)
