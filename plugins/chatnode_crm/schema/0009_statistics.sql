-- Figures per day, in UTC: numbers alone, so that contacts that are deleted or erased change nothing of the past. `day` is
-- the number of days since 1970.
CREATE TABLE crm_days (
  day     INTEGER PRIMARY KEY,
  created INTEGER NOT NULL DEFAULT 0, -- contacts
  deleted INTEGER NOT NULL DEFAULT 0
);

-- How many contacts lists and tags had at the end of a day; the days on which that changed.
CREATE TABLE crm_list_days (
  list     INTEGER NOT NULL,
  day      INTEGER NOT NULL,
  contacts INTEGER NOT NULL,
  PRIMARY KEY (list, day)
) WITHOUT ROWID;

CREATE TABLE crm_tag_days (
  tag      INTEGER NOT NULL,
  day      INTEGER NOT NULL,
  contacts INTEGER NOT NULL,
  PRIMARY KEY (tag, day)
) WITHOUT ROWID;
