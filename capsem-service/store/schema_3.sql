-- The registry, format 3: which process is a session's capsem-process, for a service that did not start it.

ALTER TABLE sessions ADD COLUMN process_pid INTEGER NOT NULL DEFAULT 0;    -- 0: none
ALTER TABLE sessions ADD COLUMN process_start INTEGER NOT NULL DEFAULT 0;  -- field 22 of /proc/PID/stat
ALTER TABLE sessions ADD COLUMN process_boot TEXT NOT NULL DEFAULT '';     -- /proc/sys/kernel/random/boot_id
