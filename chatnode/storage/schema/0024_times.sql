-- The times of a conversation's messages rise with seq, but for a few: only those are indexed by time.

-- NULL: in order, no earlier than any message in order before it. Else out of order, and this is how many messages
-- like it, one after the other, end with it.
ALTER TABLE messages ADD COLUMN late INTEGER;
-- No message in order is later than that.
ALTER TABLE conversations ADD COLUMN ordered_at INTEGER NOT NULL DEFAULT 0;

DROP INDEX messages_time;

-- Tables instead of subqueries, because SQLite keeps in memory what those give. A time ahead of the clock is out of
-- order, so that one which was wrong does not make all after it so.
CREATE TABLE late_found (conversation INTEGER, seq INTEGER, key INTEGER, PRIMARY KEY (conversation, seq)) WITHOUT ROWID;
INSERT INTO late_found SELECT conversation, seq, key FROM (
  SELECT conversation, seq, key, at, max(CASE WHEN at <= unixepoch() * 1000 + 60000 THEN at END) OVER (
    PARTITION BY conversation ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM messages
) m WHERE at < before OR at > unixepoch() * 1000 + 60000;
CREATE TABLE late_placed (key INTEGER PRIMARY KEY, place INTEGER);
INSERT INTO late_placed SELECT f.key, f.seq - max(CASE WHEN p.seq IS NULL THEN f.seq - 1 END) OVER (
    PARTITION BY f.conversation ORDER BY f.seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  FROM late_found f LEFT JOIN late_found p ON p.conversation = f.conversation AND p.seq = f.seq - 1;
UPDATE messages SET late = (SELECT place FROM late_placed p WHERE p.key = messages.key)
  WHERE key IN (SELECT key FROM late_placed);
DROP TABLE late_found;
DROP TABLE late_placed;
UPDATE conversations SET ordered_at = coalesce((SELECT m.at FROM messages m
  WHERE m.conversation = conversations.key AND m.late IS NULL ORDER BY m.seq DESC LIMIT 1), 0);

-- Those out of order by time; and which of them end a row of 256, to step over long rows.
CREATE INDEX messages_late ON messages (conversation, at) WHERE late IS NOT NULL;
CREATE INDEX messages_late_rows ON messages (conversation, seq, late) WHERE late % 256 = 0;
-- Of those in order every 256th: near which seq a time is.
CREATE INDEX messages_hours ON messages (conversation, at, seq) WHERE late IS NULL AND seq % 256 = 0;
