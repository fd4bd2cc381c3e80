-- The registry, format 2: what a session's capsem-process and the service know of each other.

ALTER TABLE sessions ADD COLUMN secret TEXT NOT NULL DEFAULT '';  -- 64 hex digits; '': it was made before this format
