"""Public contact forms: contacts of people who have no account."""

from __future__ import annotations

from chatnode.api import Limit, Part
from chatnode_crm.people.forms.commands import COMMANDS
from chatnode_crm.people.forms.route import ROUTES

PART = Part(
    commands=COMMANDS, routes=ROUTES, limits=(Limit("crm_forms", "submissions of forms", "form_posts_per_minute"),)
)
