-- An item about several messages knows them all: {"mention": [12], "ordinary": [13, 15]}, by why they matter. What it
-- says is made of those that are left. Its `message` is null, so that it stays when one of them is deleted; so is its
-- `sender`, if they are of several users. Null for an item about `message` alone, and for older items.
ALTER TABLE notifications_items ADD COLUMN messages TEXT;
CREATE INDEX notifications_items_several ON notifications_items (conversation, last_seq) WHERE messages IS NOT NULL;
