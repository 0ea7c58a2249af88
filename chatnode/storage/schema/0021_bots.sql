-- Accounts that plugins made for themselves to speak as.
CREATE TABLE bots (
  plugin TEXT NOT NULL,
  name   TEXT NOT NULL,                 -- what the plugin calls it; its handle may be another
  person INTEGER NOT NULL UNIQUE REFERENCES people (key),
  away   INTEGER NOT NULL DEFAULT 0,    -- 1: deactivated because the plugin does not run
  PRIMARY KEY (plugin, name)
) WITHOUT ROWID;
