-- The registry, format 1: what outlives the service. One row per session that somebody was told of.

CREATE TABLE sessions (
  id              TEXT PRIMARY KEY,     -- 12 characters of base32
  name            TEXT UNIQUE,          -- NULL: it has none
  kind            TEXT NOT NULL CHECK (kind IN ('ephemeral', 'persistent', 'bound')),
  -- As last recorded. Its machine may have died since: the service asks at its start.
  state           TEXT NOT NULL CHECK (state IN ('creating', 'running', 'stopped', 'failed')),
  reason          TEXT NOT NULL,        -- why it is stopped or failed, as a sentence; or ''
  image           TEXT NOT NULL,        -- as it was asked for
  image_digest    TEXT NOT NULL,        -- what it has booted from, and will: its disk lies over that
  cpus            INTEGER NOT NULL,
  memory_mib      INTEGER NOT NULL,
  accelerator     TEXT NOT NULL CHECK (accelerator IN ('kvm', 'tcg')),  -- of its last start
  -- 1: its guest has been up on its disk. A session whose disk is gone after that has lost something.
  used            INTEGER NOT NULL,
  created_unix_ms INTEGER NOT NULL
) STRICT;

-- Variables of every command in a session.
CREATE TABLE session_env (
  session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  key     TEXT NOT NULL,
  value   TEXT NOT NULL,
  PRIMARY KEY (session, key)
) STRICT, WITHOUT ROWID;

-- Whether the folders of sessions have been compared with this registry since it was made: until then
-- a folder that it does not know may be one that a lost registry knew.
CREATE TABLE reconciled (once INTEGER PRIMARY KEY CHECK (once = 1)) STRICT;
