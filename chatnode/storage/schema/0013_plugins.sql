-- Plugins that have run here. `tables` says, as JSON, what the node has to know of their tables while they do not run.
CREATE TABLE plugins (
    name TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    installed_at INTEGER NOT NULL,
    disabled_at INTEGER,
    tables TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;

-- How far each consumer has read the log.
CREATE TABLE consumers (
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (plugin, name)
) WITHOUT ROWID;

-- Rows of the log that a consumer failed on again and again.
CREATE TABLE set_aside (
    key INTEGER PRIMARY KEY,
    plugin TEXT NOT NULL,
    consumer TEXT NOT NULL,
    gid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    tries INTEGER NOT NULL,
    error TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (plugin, consumer, gid)
);
