"""A scenario a module, in the order in which ``all`` runs them."""

from benchmarks.scenario import Scenario
from benchmarks.scenarios.coldstart import COLDSTART
from benchmarks.scenarios.consumers import CONSUMING
from benchmarks.scenarios.contacts import CONTACTS
from benchmarks.scenarios.crm_import import CRM_IMPORT
from benchmarks.scenarios.embedding import EMBEDDING
from benchmarks.scenarios.fanout import FANOUT
from benchmarks.scenarios.files import FILES
from benchmarks.scenarios.flapping import FLAPPING
from benchmarks.scenarios.history import HISTORY
from benchmarks.scenarios.hostile import HOSTILE
from benchmarks.scenarios.idle import IDLE, IDLE_TLS
from benchmarks.scenarios.indexing import INDEXING
from benchmarks.scenarios.mixed import MIXED
from benchmarks.scenarios.notifications import NOTIFICATIONS
from benchmarks.scenarios.paced import PACED
from benchmarks.scenarios.pairs import PAIRS
from benchmarks.scenarios.plugins import PLUGINS
from benchmarks.scenarios.resume import RESUME
from benchmarks.scenarios.search import SEARCH
from benchmarks.scenarios.start import START
from benchmarks.scenarios.webhooks import WEBHOOKS
from benchmarks.scenarios.work import WORK

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        PAIRS,
        MIXED,
        PACED,
        FANOUT,
        IDLE,
        IDLE_TLS,
        START,
        COLDSTART,
        HISTORY,
        RESUME,
        SEARCH,
        INDEXING,
        PLUGINS,
        CONSUMING,
        FLAPPING,
        HOSTILE,
        FILES,
        CONTACTS,
        WORK,
        CRM_IMPORT,
        NOTIFICATIONS,
        WEBHOOKS,
        EMBEDDING,
    )
}
