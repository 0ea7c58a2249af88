-- A message has several files: its content is a list of them. The words that are searched stay as they are, so that the
-- index needs no work.

DROP TRIGGER search_message_changed;
UPDATE messages SET content = json_object('files', json_array(json(content)))
  WHERE kind IN ('image', 'file') AND content IS NOT NULL;
CREATE TRIGGER search_message_changed
AFTER UPDATE OF text, content, sender, reply_to, mentions, kind, edited_at, deleted_at ON messages
WHEN old.gid <= (SELECT gid FROM search_state)
BEGIN
  INSERT INTO search_changed (message, gid, at) VALUES (old.key, old.gid, unixepoch());
END;
