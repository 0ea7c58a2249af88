-- Endpoints that events are posted to, each at its own pace. `bot`: it gets what this bot may see; NULL: it belongs to
-- the node. Rows of the log refer to keys, so they are never used again.
CREATE TABLE webhooks_endpoints (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    bot INTEGER REFERENCES people (key),
    url TEXT NOT NULL,
    about TEXT NOT NULL,
    kinds TEXT NOT NULL,                -- JSON list of names, or of beginnings that end with *
    format TEXT NOT NULL CHECK (format IN ('standard', 'seed')),
    echo INTEGER NOT NULL,              -- 1: also what the bot itself has caused
    secret TEXT NOT NULL,
    old_secret TEXT,                    -- signs too, until old_until
    old_until INTEGER,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'stalled', 'disabled', 'removed')),
    reason TEXT,                        -- why it is disabled
    revision INTEGER NOT NULL DEFAULT 0, -- grows with each change by a command
    epoch TEXT NOT NULL,                -- of the log that `cursor` is a place in
    cursor INTEGER NOT NULL,            -- events up to this gid were delivered, or are in webhooks_deliveries
    probes INTEGER NOT NULL DEFAULT 0,  -- failed tries since it stalled
    probe_at INTEGER,
    failing_since INTEGER,              -- the first failure after the last success
    noticed_at INTEGER,                 -- when the people in charge were told of that
    sent_at INTEGER,
    failed_at INTEGER,
    created_at INTEGER NOT NULL
);
CREATE INDEX webhooks_endpoints_by_bot ON webhooks_endpoints (bot);

-- Events that failed: `pending` ones are tried again at `due_at`, `dead` ones were given up.
CREATE TABLE webhooks_deliveries (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint INTEGER NOT NULL REFERENCES webhooks_endpoints (key) ON DELETE CASCADE,
    gid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'dead')),
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tried_at INTEGER,
    status INTEGER,
    error TEXT,
    answer TEXT,                        -- the beginning of the last answer, for a day
    UNIQUE (endpoint, gid)
);
CREATE INDEX webhooks_deliveries_due ON webhooks_deliveries (endpoint, state, due_at);
CREATE INDEX webhooks_deliveries_tried ON webhooks_deliveries (tried_at) WHERE tried_at IS NOT NULL;

-- Ranges of the log to send again, beside what is new.
CREATE TABLE webhooks_replays (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint INTEGER NOT NULL REFERENCES webhooks_endpoints (key) ON DELETE CASCADE,
    cursor INTEGER NOT NULL,
    upto INTEGER NOT NULL
);
CREATE INDEX webhooks_replays_endpoint ON webhooks_replays (endpoint, key);

-- The newest attempts of each endpoint.
CREATE TABLE webhooks_attempts (
    key INTEGER PRIMARY KEY,
    endpoint INTEGER NOT NULL REFERENCES webhooks_endpoints (key) ON DELETE CASCADE,
    gid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT
);
CREATE INDEX webhooks_attempts_endpoint ON webhooks_attempts (endpoint, key);
