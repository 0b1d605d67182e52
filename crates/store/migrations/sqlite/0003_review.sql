-- What people look after: pins of tools, incidents, and who put which policy version in force.

-- What a tool was when it was first seen or last reviewed.
CREATE TABLE tool_pins (
    tool TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    id     TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    policy TEXT NOT NULL,
    rule   TEXT NOT NULL,
    agent  TEXT NOT NULL,
    state  TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;

-- One that is not closed for each rule and agent.
CREATE UNIQUE INDEX incidents_open ON incidents (tenant, policy, rule, agent)
    WHERE state <> 'closed';

ALTER TABLE policy_drafts ADD COLUMN activated_by TEXT;
ALTER TABLE policy_drafts ADD COLUMN activated_at INTEGER;
ALTER TABLE policy_drafts ADD COLUMN requested_by TEXT;
ALTER TABLE policy_drafts ADD COLUMN requested_at INTEGER;

-- Until now every version up to the one in force was one that could be rolled back to, and who
-- put it in force stands in the log alone: the gate vouches for them.
UPDATE policy_drafts SET activated_by = 'gate', activated_at = created_at
    WHERE number <= (SELECT max(number) FROM policy_drafts AS active
                     WHERE active.name = policy_drafts.name AND active.active = 1);
