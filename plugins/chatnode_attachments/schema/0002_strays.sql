-- Files that no row knows of, and since when: they are removed after a day. `swept_at` names the last sweep that found
-- them so.
CREATE TABLE attachments_strays (
    tree TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    swept_at INTEGER NOT NULL,
    PRIMARY KEY (tree, name)
);

-- One row, if this database was restored from a backup: when the node began to run on it.
CREATE TABLE attachments_restored (
    key INTEGER PRIMARY KEY CHECK (key = 1),
    at INTEGER NOT NULL
);
