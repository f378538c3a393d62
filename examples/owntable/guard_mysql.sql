CREATE TRIGGER users_card_guard BEFORE UPDATE ON users FOR EACH ROW
    IF NOT (NEW.status <=> OLD.status AND NEW.cardonfile_version <=> OLD.cardonfile_version
            AND NEW.cardonfile_due <=> OLD.cardonfile_due AND NEW.cardonfile_progress <=> OLD.cardonfile_progress)
        AND NEW.cardonfile_version <> OLD.cardonfile_version + 1 THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'users: the status is written without adding 1 to cardonfile_version: a stale save?';
    END IF
