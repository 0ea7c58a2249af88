"""What the values of a contact must be: how they are cleaned, checked and made comparable.

Pure functions: they know no database, and import the libraries that they need on first use.
"""

from __future__ import annotations

from chatnode_crm.contacts.values.checking import FIELDS, Fault, FieldFault, Rules, Values, check
from chatnode_crm.contacts.values.countries import country_name
from chatnode_crm.contacts.values.emails import email_key
from chatnode_crm.contacts.values.names import names_from_email, split_name
from chatnode_crm.contacts.values.phones import phone_key

__all__ = [
    "FIELDS",
    "Fault",
    "FieldFault",
    "Rules",
    "Values",
    "check",
    "country_name",
    "email_key",
    "names_from_email",
    "phone_key",
    "split_name",
]
