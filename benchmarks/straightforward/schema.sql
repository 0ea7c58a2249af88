CREATE TABLE IF NOT EXISTS people (
    id     TEXT PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS conversations (
    id    TEXT PRIMARY KEY,
    title TEXT,
    head  INTEGER NOT NULL DEFAULT 0  -- the highest seq in it
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS members (
    conversation TEXT NOT NULL REFERENCES conversations (id),
    person       TEXT NOT NULL REFERENCES people (id),
    PRIMARY KEY (conversation, person)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS members_by_person ON members (person);

CREATE TABLE IF NOT EXISTS messages (
    gid          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL,
    conversation TEXT NOT NULL REFERENCES conversations (id),
    seq          INTEGER NOT NULL,
    sender       TEXT NOT NULL REFERENCES people (id),
    cid          TEXT NOT NULL,
    text         TEXT NOT NULL,
    at           TEXT NOT NULL,
    UNIQUE (conversation, seq),
    UNIQUE (sender, cid)
);

INSERT OR IGNORE INTO people VALUES ('root', 'root');
