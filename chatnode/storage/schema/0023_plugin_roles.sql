-- Roles that a plugin offered, as JSON: by name, whether it was made here, or was there already. One that is named here
-- is not made again, whatever became of it.
ALTER TABLE plugins ADD COLUMN roles TEXT NOT NULL DEFAULT '{}';
