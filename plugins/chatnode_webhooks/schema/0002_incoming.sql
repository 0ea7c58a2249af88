-- Addresses that other programs post to: each posts into one conversation as one bot. Of a token only its SHA-256 is
-- stored. `old_token` and `old_secret` are those from before a rotation and work until `old_until`. `own_bot`: the bot
-- was made for this webhook. `spent` posts were counted in the minute `minute` since 1970.
CREATE TABLE webhooks_incoming (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    name TEXT NOT NULL,
    bot INTEGER NOT NULL REFERENCES people (key),
    own_bot INTEGER NOT NULL,
    mentions_everyone INTEGER NOT NULL,
    token BLOB NOT NULL UNIQUE,
    secret TEXT,
    old_token BLOB UNIQUE,
    old_secret TEXT,
    old_until INTEGER,
    minute INTEGER NOT NULL DEFAULT 0,
    spent INTEGER NOT NULL DEFAULT 0,
    posts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    UNIQUE (conversation, name)
);
CREATE INDEX webhooks_incoming_by_bot ON webhooks_incoming (bot);
