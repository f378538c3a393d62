-- +goose Up
CREATE TABLE IF NOT EXISTS cardonfile_rows (
    seq        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    id         VARCHAR(255) NOT NULL,
    subject    VARCHAR(255) NOT NULL,                   -- the application's user or account
    previous   VARCHAR(255) NOT NULL DEFAULT '',        -- the id of the subject's row before this one, if any
    status     VARCHAR(64) NOT NULL DEFAULT 'pending',  -- only pending rows advance
    version    BIGINT NOT NULL DEFAULT 1,               -- every write adds 1
    due        DATETIME(6) NULL,                        -- in UTC, when to look again, NULL: never
    progress   MEDIUMTEXT NULL,                         -- the library's own account, not JSON, which would rewrite it
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    -- Of all rows of a subject at most one is pending.
    pending_subject VARCHAR(255) GENERATED ALWAYS AS (CASE WHEN status = 'pending' THEN subject END) STORED,
    PRIMARY KEY (seq),
    UNIQUE KEY cardonfile_rows_id (id),
    UNIQUE KEY cardonfile_rows_pending (pending_subject),
    -- After each row of a subject at most one comes.
    UNIQUE KEY cardonfile_rows_previous (subject, previous),
    KEY cardonfile_rows_due (due, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
