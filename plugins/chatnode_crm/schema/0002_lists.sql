-- Keys of lists and tags are never used again: the log refers to them.
CREATE TABLE crm_lists (
  key         INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  name_key    TEXT NOT NULL UNIQUE, -- folded: what is unique
  description TEXT,                 -- Markdown
  kind        TEXT NOT NULL,        -- static, dynamic, campaign
  filter      TEXT,                 -- JSON; of dynamic lists
  stage       TEXT,                 -- of campaigns: creation, population, execution, analysis; archive is archived_at
  is_active   INTEGER NOT NULL DEFAULT 1,
  archived_at INTEGER,
  restored_at INTEGER,
  owner       INTEGER,
  members     INTEGER NOT NULL DEFAULT 0, -- how many rows of crm_members it has
  added       INTEGER NOT NULL DEFAULT 0, -- how many were ever added
  active_at   INTEGER NOT NULL,     -- the last change of the list or of its members
  created_at  INTEGER NOT NULL,
  created_by  INTEGER,
  updated_at  INTEGER NOT NULL,
  updated_by  INTEGER
);
CREATE INDEX crm_lists_active ON crm_lists (is_active);
CREATE INDEX crm_lists_created ON crm_lists (created_at);

CREATE TABLE crm_members (
  list     INTEGER NOT NULL,
  contact  INTEGER NOT NULL,
  added_at INTEGER NOT NULL,
  added_by INTEGER,
  PRIMARY KEY (list, contact)
) WITHOUT ROWID;
CREATE INDEX crm_members_contact ON crm_members (contact);
CREATE INDEX crm_members_joined ON crm_members (list, added_at, contact);
CREATE INDEX crm_members_added ON crm_members (added_at);

CREATE TABLE crm_tags (
  key        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  name_key   TEXT NOT NULL UNIQUE,
  color      TEXT,                 -- "#RRGGBB"; NULL for the default
  contacts   INTEGER NOT NULL DEFAULT 0, -- how many rows of crm_taggings it has
  added      INTEGER NOT NULL DEFAULT 0, -- how many were ever added
  created_at INTEGER NOT NULL,
  created_by INTEGER,
  updated_at INTEGER NOT NULL,
  updated_by INTEGER
);
CREATE INDEX crm_tags_created ON crm_tags (created_at);

CREATE TABLE crm_taggings (
  tag        INTEGER NOT NULL,
  contact    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by INTEGER,
  PRIMARY KEY (tag, contact)
) WITHOUT ROWID;
CREATE INDEX crm_taggings_contact ON crm_taggings (contact);

-- Lists and tags that were deleted: what events say of them, and whose rows of crm_members and crm_taggings are still
-- to be removed (`swept` 0). Such rows have no meaning any more.
CREATE TABLE crm_tombstones (
  kind  TEXT NOT NULL,             -- list, tag
  key   INTEGER NOT NULL,
  id    TEXT NOT NULL,
  at    INTEGER NOT NULL,
  swept INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX crm_tombstones_swept ON crm_tombstones (swept);
