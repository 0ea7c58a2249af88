-- Since this version an erasure removes the ids that the user's clients gave their messages; here for earlier ones.

UPDATE messages SET cid = '' WHERE sender IN (SELECT key FROM people WHERE erased_at IS NOT NULL);
