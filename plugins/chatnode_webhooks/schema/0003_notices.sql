-- What the people in charge of an endpoint are still to be notified of: that it is `failing`, or was `disabled`.
ALTER TABLE webhooks_endpoints ADD COLUMN notice TEXT;

-- Answers are dropped whenever a message is edited or deleted; few deliveries have one.
CREATE INDEX webhooks_deliveries_answers ON webhooks_deliveries (key) WHERE answer IS NOT NULL;
