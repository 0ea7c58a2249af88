-- Imports. The file, and its rows as they were parsed, are in the plugin's directory (docs/adr/0037-imports.md); what must
-- be exact after a kill is here, written in the transaction that changes the contacts.
CREATE TABLE crm_imports (
  key         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  owner       INTEGER,          -- the user who imports; NULL for the operator
  name        TEXT NOT NULL,    -- of the file, as the client named it
  bytes       INTEGER NOT NULL,
  sha256      BLOB NOT NULL,
  state       TEXT NOT NULL,    -- received, staged, planned, applying, applied, undoing, undone, deleted
  options     TEXT,             -- JSON: how the file is read, what its columns are, and the policies
  generation  TEXT,             -- the name of the staged rows' files; NULL without any
  rows        INTEGER,          -- rows of the file, once it is staged
  columns     TEXT,             -- JSON: the names of the file's columns, once it is staged
  counts      TEXT,             -- JSON: rows by verdict, and memberships; the plan's, then what was applied
  plan        TEXT,             -- JSON: what the plan counted, to compare with what was applied
  undone      TEXT,             -- JSON: what undoing changed, and what it had to leave
  work        TEXT,             -- the id of the last work
  error       TEXT,             -- JSON: why the file could not be read
  source      INTEGER NOT NULL DEFAULT 1, -- whether the uploaded file is still there
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  applied_at  INTEGER
);
CREATE INDEX crm_imports_owner ON crm_imports (owner, created_at);
CREATE INDEX crm_imports_state ON crm_imports (state, updated_at);

-- What the plan says of each row, as a letter. It is apart from crm_imports because it is long.
CREATE TABLE crm_import_plans (
  import  INTEGER PRIMARY KEY,
  letters TEXT NOT NULL
);

-- What the applied rows became: a letter for each row, and the keys of what was added, for undoing it.
CREATE TABLE crm_import_slices (
  import   INTEGER NOT NULL,
  first    INTEGER NOT NULL,    -- the number of its first row
  verdicts TEXT NOT NULL,
  gid      INTEGER NOT NULL,    -- of its last event: what changed later has a greater version
  at       INTEGER NOT NULL,
  added    TEXT NOT NULL,       -- JSON: contacts created, members added, contacts tagged and untagged
  PRIMARY KEY (import, first)
) WITHOUT ROWID;

-- Contacts that an import changed, as they were before.
CREATE TABLE crm_import_images (
  key     INTEGER PRIMARY KEY,
  import  INTEGER NOT NULL,
  row     INTEGER NOT NULL,
  contact INTEGER NOT NULL,
  gid     INTEGER NOT NULL,     -- of the last event then: what changed later has a greater version
  before  TEXT NOT NULL         -- JSON of the fields that changed
);
CREATE UNIQUE INDEX crm_import_images_row ON crm_import_images (import, row);
CREATE INDEX crm_import_images_contact ON crm_import_images (contact);

-- Rows that were refused when they were applied, or that undoing left alone, and why.
CREATE TABLE crm_import_faults (
  key     INTEGER PRIMARY KEY,
  import  INTEGER NOT NULL,
  row     INTEGER NOT NULL,
  field   TEXT NOT NULL,
  code    TEXT NOT NULL,
  message TEXT NOT NULL,
  undoing INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX crm_import_faults_row ON crm_import_faults (import, undoing, row);

-- Contacts that were deleted while there were staged rows, which must lose theirs.
CREATE TABLE crm_import_forgotten (
  contact     INTEGER PRIMARY KEY,
  email_key   TEXT,
  external_id TEXT,
  at          INTEGER NOT NULL
);
CREATE INDEX crm_import_forgotten_email ON crm_import_forgotten (email_key);

-- What columns mean in the files of a source, kept under a name.
CREATE TABLE crm_import_mappings (
  key        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  owner      INTEGER,
  name       TEXT NOT NULL,
  name_key   TEXT NOT NULL,
  options    TEXT NOT NULL,     -- JSON
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX crm_import_mappings_name ON crm_import_mappings (owner, name_key);
