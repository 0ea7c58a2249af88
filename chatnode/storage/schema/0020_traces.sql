-- What was removed for good leaves traces in the files until they were swept. `removals` counts up; those up to
-- `forgotten` have left none.
CREATE TABLE traces (
    removals INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
);
INSERT INTO traces VALUES (0, 0);
