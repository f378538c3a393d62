-- name: LoadUser :one
SELECT * FROM users WHERE id = $1;

-- name: SwapUser :execrows
UPDATE users SET status = sqlc.arg(next_status), card_version = card_version + 1, card_due = sqlc.arg(card_due), card_progress = sqlc.arg(card_progress)
WHERE id = sqlc.arg(id) AND status = sqlc.arg(prev_status) AND card_version = sqlc.arg(prev_version);

-- name: DueUsers :many
SELECT * FROM users
WHERE card_due <= CAST(sqlc.arg(now) AS bigint) AND (card_due, id) > (CAST(sqlc.arg(after_due) AS bigint), CAST(sqlc.arg(after_id) AS text))
ORDER BY card_due, id LIMIT sqlc.arg(max_rows);
