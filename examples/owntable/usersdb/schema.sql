CREATE TABLE users (
    id            text   NOT NULL PRIMARY KEY,
    email         text   NOT NULL DEFAULT '',
    status        text   NOT NULL DEFAULT 'pending',
    card_version  bigint NOT NULL DEFAULT 0, -- whoever writes the status adds 1
    card_due      bigint,                    -- microseconds since 1970
    card_progress text
);
CREATE INDEX users_card_due ON users (card_due, id) WHERE card_due IS NOT NULL;
