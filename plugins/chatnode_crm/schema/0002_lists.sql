CREATE TABLE crm_lists (
  key         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  name_key    TEXT NOT NULL UNIQUE, -- folded: what is unique
  description TEXT,                 -- Markdown
  kind        TEXT NOT NULL,        -- static, dynamic, campaign
  filter      TEXT,                 -- JSON; of dynamic lists
  is_active   INTEGER NOT NULL DEFAULT 1,
  archived_at INTEGER,
  owner       INTEGER,
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
CREATE INDEX crm_members_added ON crm_members (added_at);

CREATE TABLE crm_tags (
  key        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  name_key   TEXT NOT NULL UNIQUE,
  color      TEXT,                 -- "#RRGGBB"; NULL for the default
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
