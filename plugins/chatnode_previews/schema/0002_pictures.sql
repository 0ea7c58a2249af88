-- Small copies of the pictures of pages: of a link that is shown, and of a page so that it is not fetched again. Both
-- go with the link.
CREATE TABLE previews_pictures (
    link INTEGER PRIMARY KEY REFERENCES previews_links (key) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    content BLOB NOT NULL
);
ALTER TABLE previews_pages ADD COLUMN width INTEGER;
ALTER TABLE previews_pages ADD COLUMN height INTEGER;
ALTER TABLE previews_pages ADD COLUMN picture BLOB;
