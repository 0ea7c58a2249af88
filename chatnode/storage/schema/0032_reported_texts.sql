-- What was reported, as it was then: its author may edit or delete it. Empty once the report is resolved.

ALTER TABLE reports ADD COLUMN text TEXT NOT NULL DEFAULT '';
UPDATE reports SET text = (SELECT m.text FROM messages m WHERE m.key = reports.message)
WHERE resolved_at IS NULL AND EXISTS (
  SELECT 1 FROM messages m JOIN people p ON p.key = m.sender WHERE m.key = reports.message AND p.erased_at IS NULL
);
