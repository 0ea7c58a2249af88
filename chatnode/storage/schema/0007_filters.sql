-- The newest messages of a conversation by their time, which imported ones need not have in the order of seq.
CREATE INDEX messages_time ON messages (conversation, at);
