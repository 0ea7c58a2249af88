CREATE TABLE crm_contacts (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    added_at INTEGER NOT NULL
);

-- The fields that users define. `kind` is text or number.
CREATE TABLE crm_fields (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL
);

CREATE TABLE crm_values (
    contact INTEGER NOT NULL REFERENCES crm_contacts (key),
    field INTEGER NOT NULL REFERENCES crm_fields (key),
    value NOT NULL,
    PRIMARY KEY (contact, field)
) WITHOUT ROWID;

-- `filter` is JSON.
CREATE TABLE crm_segments (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    filter TEXT NOT NULL
);
