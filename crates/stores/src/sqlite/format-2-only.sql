-- Narrows to format 2: from here on every name is there backwards as well. Never edit.

-- A process of an older build that is still running must not write what lists then lack.
CREATE TRIGGER names_are_mirrored BEFORE INSERT ON names WHEN NEW.mirrored IS NULL BEGIN
    SELECT RAISE(ABORT, 'this Castellan is too old for this file');
END;
