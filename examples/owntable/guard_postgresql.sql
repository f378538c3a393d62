CREATE FUNCTION users_card_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.cardonfile_version <> OLD.cardonfile_version + 1 THEN
        RAISE EXCEPTION 'users %: the status is written without adding 1 to cardonfile_version: a stale save?', OLD.id;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER users_card_guard BEFORE UPDATE ON users FOR EACH ROW
    WHEN ((OLD.status, OLD.cardonfile_version, OLD.cardonfile_due, OLD.cardonfile_progress)
        IS DISTINCT FROM (NEW.status, NEW.cardonfile_version, NEW.cardonfile_due, NEW.cardonfile_progress))
    EXECUTE FUNCTION users_card_guard();
