CREATE INDEX notifications_registrations_session ON notifications_registrations (session);

-- SQLite may use the key of a deleted row again, for the device of another user. What was on its way to the old one
-- must not reach the new one, and what was sent to it is kept under a negative key.
CREATE TRIGGER notifications_registrations_removed AFTER DELETE ON notifications_registrations BEGIN
  UPDATE notifications_deliveries SET state = 'bounced', error = 'the device was removed'
    WHERE registration = old.key AND state = 'pending';
  UPDATE notifications_deliveries SET registration = -old.key WHERE registration = old.key;
END;
