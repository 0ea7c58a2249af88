CREATE TABLE moderation_held (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sender INTEGER NOT NULL REFERENCES people (key),
    conversation TEXT NOT NULL,
    cid TEXT NOT NULL,
    edits TEXT NOT NULL,  -- the message that is edited; empty for a new one
    text TEXT NOT NULL,
    more TEXT NOT NULL,   -- the other fields of the command, as JSON
    rule TEXT NOT NULL,
    at INTEGER NOT NULL,
    released_at INTEGER,
    UNIQUE (sender, cid, edits)
);
