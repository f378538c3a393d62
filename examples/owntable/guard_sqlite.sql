CREATE TRIGGER users_card_guard BEFORE UPDATE ON users FOR EACH ROW
WHEN NEW.cardonfile_version <> OLD.cardonfile_version + 1
    AND (NEW.status IS NOT OLD.status OR NEW.cardonfile_version IS NOT OLD.cardonfile_version
        OR NEW.cardonfile_due IS NOT OLD.cardonfile_due OR NEW.cardonfile_progress IS NOT OLD.cardonfile_progress)
BEGIN
    SELECT RAISE(ABORT, 'users: the status is written without adding 1 to cardonfile_version: a stale save?');
END;
