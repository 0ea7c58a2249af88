-- A merge of a contact that was then merged itself is undone after that one: it is a row of its own, of the contact that
-- is left, with the id of the merge that it has become part of.
ALTER TABLE crm_merges ADD COLUMN part_of TEXT;
CREATE INDEX crm_merges_part_of ON crm_merges (part_of) WHERE part_of IS NOT NULL;

-- Until now the later merge had a copy of its row, and this one copies of the rows that were part of it.
INSERT INTO crm_merges (id, contact, gone, before, after, at, by, part_of)
WITH RECURSIVE parts (row, contact, part_of) AS (
  SELECT part.value, whole.contact, whole.id
  FROM crm_merges whole, json_each(whole.before, '$.other.crm_merges') part
  UNION ALL
  SELECT part.value, whole.contact, whole.row ->> 'id'
  FROM parts whole, json_each(whole.row ->> 'before', '$.other.crm_merges') part
)
SELECT row ->> 'id', contact, row ->> 'gone', row ->> 'before', row ->> 'after', row ->> 'at', row ->> 'by', part_of
FROM parts
WHERE true
ON CONFLICT (id) DO NOTHING;
UPDATE crm_merges SET before = json_remove(before, '$.kept.crm_merges', '$.other.crm_merges');
