-- Below which number builds of before 23 November 2026 have removed: they stopped at the first young question
-- and passed over young entries of other kinds, and removed entries about what operators did. Written here
-- only, and kept for good.
ALTER TABLE removed_questions ADD COLUMN by_questions_below INTEGER NOT NULL DEFAULT 0;

UPDATE removed_questions SET by_questions_below = below;
