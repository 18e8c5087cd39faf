-- When something was last recorded is asked by every command that writes down a time.
CREATE INDEX student_by_added_at ON student (added_at);
CREATE INDEX enrolment_code_by_issued_at ON enrolment_code (issued_at);
CREATE INDEX certificate_by_recorded_at ON certificate (recorded_at);
CREATE INDEX certificate_by_revoked_at ON certificate (revoked_at) WHERE revoked_at IS NOT NULL;
