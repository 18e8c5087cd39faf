-- What a student has a part in is found at once, and that there is none as well.
CREATE INDEX parts_by_sid ON parts (sid, number);
