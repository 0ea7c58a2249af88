-- Uploads in progress, and for a week the ones that ended; what the client said of them goes when they are given up, or
-- with the file. The bytes of an open one are in `incoming/<id>`; `durable` of them survive a power loss. `reserved`
-- bytes of the uploader's quota are held for it.
CREATE TABLE attachments_uploads (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    person INTEGER NOT NULL REFERENCES people (key),
    name TEXT NOT NULL,
    metadata TEXT NOT NULL,
    declared TEXT NOT NULL,
    length INTEGER,
    durable INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    as_file INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'finishing', 'done', 'gone')),
    blob_name TEXT,
    created_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX attachments_uploads_by_person ON attachments_uploads (person, created_at, reserved, durable);
CREATE INDEX attachments_uploads_by_expiry ON attachments_uploads (expires_at);
CREATE INDEX attachments_uploads_unfinished ON attachments_uploads (person, state, reserved, durable)
    WHERE state IN ('open', 'finishing');

-- One row for each content. `name` is the file's name in `blobs/`, chosen by the node and never used twice. What a row
-- says follows from the bytes alone: users who upload the same learn nothing of each other.
CREATE TABLE attachments_blobs (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sha256 BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    duration_ms INTEGER,
    placeholder TEXT,
    place TEXT NOT NULL CHECK (place IN ('local', 'missing', 'removed')),
    scan TEXT NOT NULL CHECK (scan IN ('off', 'pending', 'safe', 'unsafe', 'error')),
    scan_tries INTEGER NOT NULL DEFAULT 0,
    scan_due INTEGER,
    scanned_at INTEGER,
    scan_with TEXT,
    scan_says TEXT,
    quarantined INTEGER NOT NULL DEFAULT 0,
    derive TEXT NOT NULL CHECK (derive IN ('none', 'done', 'failed')),
    loose INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    UNIQUE (sha256, bytes)
);
CREATE INDEX attachments_blobs_loose ON attachments_blobs (key) WHERE loose = 1;
CREATE INDEX attachments_blobs_missing ON attachments_blobs (key) WHERE place = 'missing';
CREATE INDEX attachments_blobs_to_scan ON attachments_blobs (scan_due, key) WHERE scan_due IS NOT NULL;

-- One row for each file that somebody uploaded or copied. `message` is NULL until it is posted; `used_by` names what
-- else of the node uses it, such as an avatar. `type` depends on the name, too.
CREATE TABLE attachments_files (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    blob INTEGER NOT NULL REFERENCES attachments_blobs (key),
    uploader INTEGER NOT NULL REFERENCES people (key),
    message INTEGER REFERENCES messages (key),
    conversation INTEGER,
    position INTEGER,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    category TEXT NOT NULL CHECK (category IN ('image', 'document', 'video', 'audio', 'other')),
    voice INTEGER NOT NULL DEFAULT 0,
    downloads INTEGER NOT NULL DEFAULT 0,
    last_download_at INTEGER,
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    used_by TEXT
);
CREATE INDEX attachments_files_by_blob ON attachments_files (blob);
CREATE INDEX attachments_files_by_uploader ON attachments_files (uploader, key);
CREATE INDEX attachments_files_by_conversation ON attachments_files (conversation, key)
    WHERE conversation IS NOT NULL;
CREATE INDEX attachments_files_by_message ON attachments_files (message) WHERE message IS NOT NULL;
CREATE INDEX attachments_files_in_use ON attachments_files (uploader, conversation) WHERE used_by IS NOT NULL;
CREATE INDEX attachments_files_in_use_by_conversation ON attachments_files (conversation) WHERE used_by IS NOT NULL;
CREATE INDEX attachments_files_unposted ON attachments_files (created_at) WHERE message IS NULL AND used_by IS NULL;

-- Thumbnails, in `derived/`.
CREATE TABLE attachments_derived (
    key INTEGER PRIMARY KEY,
    blob INTEGER NOT NULL REFERENCES attachments_blobs (key),
    kind TEXT NOT NULL CHECK (kind IN ('thumb320', 'thumb1280')),
    name TEXT NOT NULL UNIQUE,
    sha256 BLOB NOT NULL,
    type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    UNIQUE (blob, kind)
);

-- Files to be unlinked: they have no other row any more.
CREATE TABLE attachments_trash (
    name TEXT PRIMARY KEY,
    tree TEXT NOT NULL CHECK (tree IN ('blobs', 'derived', 'incoming')),
    at INTEGER NOT NULL
);

-- Files that are gone, until other plugins were told.
CREATE TABLE attachments_gone (
    key INTEGER PRIMARY KEY,
    file TEXT NOT NULL
);

-- What each uploader's files count, and what is reserved for uploads in progress. Kept by the triggers below.
CREATE TABLE attachments_usage (
    person INTEGER PRIMARY KEY REFERENCES people (key),
    bytes INTEGER NOT NULL,
    reserved INTEGER NOT NULL
);

-- One row: what is on disk, thumbnails included. Kept by the triggers below.
CREATE TABLE attachments_totals (
    key INTEGER PRIMARY KEY CHECK (key = 1),
    blobs INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
INSERT INTO attachments_totals (key, blobs, bytes) VALUES (1, 0, 0);

CREATE TABLE attachments_served (
    key INTEGER PRIMARY KEY,
    day TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    downloads INTEGER NOT NULL
);

-- The node also deletes rows, with a message or a user, while the plugin is disabled too. So triggers keep what follows
-- from rows: no code can forget it.
CREATE TRIGGER attachments_files_added AFTER INSERT ON attachments_files WHEN new.removed_at IS NULL BEGIN
    INSERT INTO attachments_usage (person, bytes, reserved)
    SELECT new.uploader, b.bytes, 0 FROM attachments_blobs b WHERE b.key = new.blob
    ON CONFLICT (person) DO UPDATE SET bytes = attachments_usage.bytes + excluded.bytes;
END;

CREATE TRIGGER attachments_files_removed AFTER UPDATE OF removed_at ON attachments_files
WHEN old.removed_at IS NULL AND new.removed_at IS NOT NULL BEGIN
    UPDATE attachments_usage
    SET bytes = bytes - (SELECT b.bytes FROM attachments_blobs b WHERE b.key = old.blob)
    WHERE person = old.uploader;
    UPDATE attachments_blobs SET loose = 1 WHERE key = old.blob;
    INSERT INTO attachments_gone (file) VALUES (old.id);
    UPDATE attachments_uploads SET name = '', metadata = '', declared = '' WHERE id = old.id;
END;

CREATE TRIGGER attachments_files_gone AFTER DELETE ON attachments_files BEGIN
    UPDATE attachments_usage
    SET bytes = bytes - (SELECT b.bytes FROM attachments_blobs b WHERE b.key = old.blob)
    WHERE person = old.uploader AND old.removed_at IS NULL;
    UPDATE attachments_blobs SET loose = 1 WHERE key = old.blob;
    INSERT INTO attachments_gone (file) SELECT old.id WHERE old.removed_at IS NULL;
    UPDATE attachments_uploads SET name = '', metadata = '', declared = '' WHERE id = old.id;
END;

CREATE TRIGGER attachments_uploads_added AFTER INSERT ON attachments_uploads BEGIN
    INSERT INTO attachments_usage (person, bytes, reserved) VALUES (new.person, 0, new.reserved)
    ON CONFLICT (person) DO UPDATE SET reserved = attachments_usage.reserved + excluded.reserved;
END;

CREATE TRIGGER attachments_uploads_changed AFTER UPDATE OF reserved ON attachments_uploads
WHEN old.reserved <> new.reserved BEGIN
    UPDATE attachments_usage SET reserved = reserved - old.reserved + new.reserved WHERE person = old.person;
END;

CREATE TRIGGER attachments_uploads_gone AFTER DELETE ON attachments_uploads WHEN old.state IN ('open', 'finishing') BEGIN
    UPDATE attachments_usage SET reserved = reserved - old.reserved WHERE person = old.person;
    INSERT INTO attachments_trash (name, tree, at) VALUES (old.id, 'incoming', old.touched_at);
    INSERT INTO attachments_trash (name, tree, at)
    SELECT old.blob_name, 'blobs', old.touched_at WHERE old.blob_name IS NOT NULL;
END;

CREATE TRIGGER attachments_blobs_added AFTER INSERT ON attachments_blobs WHEN new.place = 'local' BEGIN
    UPDATE attachments_totals SET blobs = blobs + 1, bytes = bytes + new.bytes;
END;

CREATE TRIGGER attachments_blobs_moved AFTER UPDATE OF place ON attachments_blobs WHEN old.place <> new.place BEGIN
    UPDATE attachments_totals SET blobs = blobs - 1, bytes = bytes - old.bytes WHERE old.place = 'local';
    UPDATE attachments_totals SET blobs = blobs + 1, bytes = bytes + new.bytes WHERE new.place = 'local';
END;

CREATE TRIGGER attachments_blobs_gone AFTER DELETE ON attachments_blobs WHEN old.place = 'local' BEGIN
    UPDATE attachments_totals SET blobs = blobs - 1, bytes = bytes - old.bytes;
END;

CREATE TRIGGER attachments_derived_added AFTER INSERT ON attachments_derived BEGIN
    UPDATE attachments_totals SET bytes = bytes + new.bytes;
END;

CREATE TRIGGER attachments_derived_gone AFTER DELETE ON attachments_derived BEGIN
    UPDATE attachments_totals SET bytes = bytes - old.bytes;
    INSERT INTO attachments_trash (name, tree, at)
    SELECT old.name, 'derived', b.created_at FROM attachments_blobs b WHERE b.key = old.blob;
END;
