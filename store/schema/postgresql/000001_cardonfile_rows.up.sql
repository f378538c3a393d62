-- +goose Up
CREATE TABLE IF NOT EXISTS cardonfile_rows (
    id         text COLLATE "C" PRIMARY KEY,
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    subject    text COLLATE "C" NOT NULL,           -- the application's user or account
    previous   text COLLATE "C" NOT NULL DEFAULT '', -- the id of the subject's row before this one, if any
    status     text NOT NULL DEFAULT 'pending',     -- only pending rows advance
    version    bigint NOT NULL DEFAULT 1,           -- every write adds 1
    due        timestamptz CHECK (isfinite(due)),   -- when to look again, NULL: never
    progress   text,                                -- the library's own account, not json, which would rewrite it
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Of all rows of a subject at most one is pending.
CREATE UNIQUE INDEX IF NOT EXISTS cardonfile_rows_pending ON cardonfile_rows (subject) WHERE status = 'pending';

-- After each row of a subject at most one comes.
CREATE UNIQUE INDEX IF NOT EXISTS cardonfile_rows_previous ON cardonfile_rows (subject, previous);

CREATE INDEX IF NOT EXISTS cardonfile_rows_due ON cardonfile_rows (due, id) WHERE due IS NOT NULL;
