-- Who reacted to which message with what. What goes with a message or a person is what the plugin declares of the table.
CREATE TABLE reactions_given (
    key INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages (key),
    person INTEGER NOT NULL REFERENCES people (key),
    emoji TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (message, person, emoji)
);
CREATE INDEX reactions_given_by_emoji ON reactions_given (message, emoji);
CREATE INDEX reactions_given_by_person ON reactions_given (person);

-- The same, counted: what a page of messages shows. `first` is the key of the oldest reaction, `people` a JSON list of
-- the first three people's keys. Kept up by triggers, as the node deletes rows above while the plugin is disabled too.
CREATE TABLE reactions_counted (
    message INTEGER NOT NULL REFERENCES messages (key),
    emoji TEXT NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    people TEXT NOT NULL,
    UNIQUE (message, emoji)
);

CREATE TRIGGER reactions_given_added AFTER INSERT ON reactions_given BEGIN
    INSERT INTO reactions_counted (message, emoji, first, count, people)
    VALUES (new.message, new.emoji, new.key, 1, json_array(new.person))
    ON CONFLICT (message, emoji) DO UPDATE SET
        count = count + 1,
        people = CASE WHEN count < 3 THEN json_insert(people, '$[#]', new.person) ELSE people END;
END;

CREATE TRIGGER reactions_given_removed AFTER DELETE ON reactions_given BEGIN
    DELETE FROM reactions_counted WHERE message = old.message AND emoji = old.emoji AND count = 1;
    UPDATE reactions_counted SET
        count = count - 1,
        first = (
            SELECT min(g.key) FROM reactions_given g
            WHERE g.message = old.message AND g.emoji = old.emoji
        ),
        people = (
            SELECT json_group_array(person) FROM (
                SELECT g.person FROM reactions_given g
                WHERE g.message = old.message AND g.emoji = old.emoji
                ORDER BY g.key LIMIT 3
            )
        )
    WHERE message = old.message AND emoji = old.emoji;
END;
