-- Widens format 1 to format 2, which lists names by how they end. Never edit.

-- The name read backwards; NULL: written by a build of format 1, and not brought along yet.
ALTER TABLE castellan_names ADD COLUMN mirrored bytea;

-- Empty at first, so that nobody waits while it is made.
CREATE INDEX castellan_names_by_end ON castellan_names (site, kind, mirrored)
    WHERE mirrored IS NOT NULL;
