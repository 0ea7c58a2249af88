-- What a restore leaves for each plugin to be told, until it was told: which of its files are missing, as JSON.
CREATE TABLE restored (
    plugin TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    missing TEXT NOT NULL
);
