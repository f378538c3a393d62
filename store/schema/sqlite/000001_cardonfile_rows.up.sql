-- +goose Up
CREATE TABLE IF NOT EXISTS cardonfile_rows (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    subject    TEXT    NOT NULL,                    -- the application's user or account
    previous   TEXT    NOT NULL DEFAULT '',         -- the id of the subject's row before this one, if any
    status     TEXT    NOT NULL DEFAULT 'pending',  -- only pending rows advance
    version    INTEGER NOT NULL DEFAULT 1,          -- every write adds 1
    due        INTEGER CHECK (typeof(due) IN ('integer', 'null')), -- microseconds since 1970 when to look again, NULL: never
    progress   TEXT,                                -- the library's own account
    created_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER) * 1000000) -- microseconds, too
);

-- Of all rows of a subject at most one is pending.
CREATE UNIQUE INDEX IF NOT EXISTS cardonfile_rows_pending ON cardonfile_rows (subject) WHERE status = 'pending';

-- After each row of a subject at most one comes.
CREATE UNIQUE INDEX IF NOT EXISTS cardonfile_rows_previous ON cardonfile_rows (subject, previous);

CREATE INDEX IF NOT EXISTS cardonfile_rows_due ON cardonfile_rows (due, id) WHERE due IS NOT NULL;
