"""A scenario a module, in the order in which ``all`` runs them."""

from benchmarks.scenario import Scenario
from benchmarks.scenarios.coldstart import COLDSTART
from benchmarks.scenarios.consumers import CONSUMING
from benchmarks.scenarios.contacts import CONTACTS
from benchmarks.scenarios.fanout import FANOUT
from benchmarks.scenarios.flapping import FLAPPING
from benchmarks.scenarios.history import HISTORY
from benchmarks.scenarios.hostile import HOSTILE
from benchmarks.scenarios.idle import IDLE
from benchmarks.scenarios.indexing import INDEXING
from benchmarks.scenarios.paced import PACED
from benchmarks.scenarios.pairs import PAIRS
from benchmarks.scenarios.plugins import PLUGINS
from benchmarks.scenarios.resume import RESUME
from benchmarks.scenarios.search import SEARCH

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        PAIRS,
        PACED,
        FANOUT,
        IDLE,
        COLDSTART,
        HISTORY,
        RESUME,
        SEARCH,
        INDEXING,
        PLUGINS,
        CONSUMING,
        FLAPPING,
        HOSTILE,
        CONTACTS,
    )
}
