-- Fields that users define. Keys are never given again: values of a deleted field may stay in contacts for a while.
CREATE TABLE crm_fields (
  key        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  name_key   TEXT NOT NULL UNIQUE, -- folded: what is unique
  kind       TEXT NOT NULL,        -- text, number, date, flag, choice
  choices    TEXT,                 -- JSON list; of the kind choice
  created_at INTEGER NOT NULL,
  created_by INTEGER
);

CREATE TABLE crm_notes (
  key     INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  contact INTEGER NOT NULL,
  text    TEXT NOT NULL,           -- Markdown
  author  INTEGER,                 -- NULL: the operator
  at      INTEGER NOT NULL
);
CREATE INDEX crm_notes_contact ON crm_notes (contact, key);

-- What the upkeep has to do: `words` when words were taken out of crm_words, `fields` when a field was deleted.
CREATE TABLE crm_upkeep (
  name TEXT PRIMARY KEY
) WITHOUT ROWID;
