-- Names are sorted and found, and groups and tags told apart, without accents: what is derived is made anew.

UPDATE contacts_entries SET
  called = (SELECT contacts_called(p.name, p.handle) FROM people p WHERE p.key = contact),
  sort_name = contacts_sort_name(nickname, (SELECT p.name FROM people p WHERE p.key = contact)),
  words = contacts_own_words(nickname, number);

-- Of several labels of a contact that are the same now, the first in the order of names stays, and all contacts have
-- it in the same writing.
DELETE FROM contacts_labels WHERE EXISTS (
  SELECT 1 FROM contacts_labels other WHERE other.owner = contacts_labels.owner AND other.kind = contacts_labels.kind
  AND other.contact = contacts_labels.contact AND contacts_label(other.name) = contacts_label(contacts_labels.name)
  AND other.name < contacts_labels.name
);
UPDATE contacts_labels SET folded = contacts_label(name);
UPDATE contacts_labels SET name = (
  SELECT min(other.name) FROM contacts_labels other WHERE other.owner = contacts_labels.owner
  AND other.kind = contacts_labels.kind AND other.folded = contacts_labels.folded
);
UPDATE contacts_entries SET groups = (
  SELECT json_group_array(name) FROM (
    SELECT l.name AS name FROM json_each(contacts_entries.groups) held JOIN contacts_labels l
    ON l.owner = contacts_entries.owner AND l.contact = contacts_entries.contact AND l.kind = 'group'
    AND l.folded = contacts_label(held.value) GROUP BY l.folded ORDER BY min(held.key)
  )
) WHERE groups IS NOT NULL;
UPDATE contacts_entries SET tags = (
  SELECT json_group_array(name) FROM (
    SELECT l.name AS name FROM json_each(contacts_entries.tags) held JOIN contacts_labels l
    ON l.owner = contacts_entries.owner AND l.contact = contacts_entries.contact AND l.kind = 'tag'
    AND l.folded = contacts_label(held.value) GROUP BY l.folded ORDER BY min(held.key)
  )
) WHERE tags IS NOT NULL;
