CREATE TABLE plugname_items (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    person INTEGER NOT NULL REFERENCES people (key),
    text TEXT NOT NULL,
    at INTEGER NOT NULL
);

CREATE INDEX plugname_items_of_conversation ON plugname_items (conversation, person);
CREATE INDEX plugname_items_of_person ON plugname_items (person, key);

-- How many items each person has added: kept up by the consumer `totals`.
CREATE TABLE plugname_totals (
    person INTEGER PRIMARY KEY REFERENCES people (key),
    items INTEGER NOT NULL
);
