-- Widens format 1 to format 2, which lists names by how they end. Never edit.

-- The name read backwards; NULL: written by a build of format 1, and not brought along yet.
ALTER TABLE names ADD COLUMN mirrored TEXT;

CREATE INDEX names_by_end ON names (site, kind, mirrored) WHERE mirrored IS NOT NULL;
