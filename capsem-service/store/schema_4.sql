-- The registry, format 4: how large a session's disk may grow, in GiB.

ALTER TABLE sessions ADD COLUMN disk_gib INTEGER NOT NULL DEFAULT 16;
