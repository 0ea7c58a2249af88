-- Links in messages, and what is shown of them. `address` is the SHA-256 of what is fetched. `pending` links wait to be
-- fetched; `removed` ones are not shown again while the message has them. Those without a preview have no row.
CREATE TABLE previews_links (
    key INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages (key),
    position INTEGER NOT NULL,
    url TEXT NOT NULL,
    address BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'shown', 'removed')),
    title TEXT,
    text TEXT,
    site TEXT,
    UNIQUE (message, url)
);
CREATE INDEX previews_links_pending ON previews_links (key) WHERE state = 'pending';

-- What was found at an address, so that it is not fetched again for a while; all NULL if nothing was. It does not
-- outlive the message: nothing here tells of an address once its message is gone.
CREATE TABLE previews_pages (
    key INTEGER PRIMARY KEY,
    address BLOB NOT NULL UNIQUE,
    title TEXT,
    text TEXT,
    site TEXT,
    expires_at INTEGER NOT NULL
);
CREATE INDEX previews_pages_by_expiry ON previews_pages (expires_at);

CREATE TRIGGER previews_links_deleted AFTER DELETE ON previews_links WHEN old.state <> 'pending' BEGIN
    DELETE FROM previews_pages WHERE address = old.address;
END;

-- Users whose links get no previews.
CREATE TABLE previews_people_off (
    key INTEGER PRIMARY KEY,
    person INTEGER NOT NULL UNIQUE REFERENCES people (key),
    since INTEGER NOT NULL
);

-- Conversations without previews.
CREATE TABLE previews_conversations_off (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (key),
    since INTEGER NOT NULL
);
