-- For whom a group is the one about its context, as `conversations.find_or_create` makes them: 0 is the operator, else
-- the key of a user. NULL: made otherwise. Any user may give a group of theirs any context, so those are not found; and
-- so contexts that several older groups have stay as they are.
ALTER TABLE conversations ADD COLUMN context_for INTEGER;

CREATE UNIQUE INDEX conversations_context_for ON conversations (context_type, context_id, context_for)
  WHERE context_for IS NOT NULL;
