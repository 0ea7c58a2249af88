-- What the people in charge of an endpoint are still to be notified of: that it is `failing`, or was `disabled`.
ALTER TABLE webhooks_endpoints ADD COLUMN notice TEXT;
