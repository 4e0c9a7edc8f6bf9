-- additive: yes
-- What a columnar replica needs to follow these tables exactly: see docs/replica.md.

-- The replicas that follow, one per `full`. A token changes every few minutes: a replica whose token is neither of the two has followed
-- another history, such as the one before this database was restored from a backup. `position` is the oldest transaction that the
-- replica may not have seen.
CREATE TABLE product_analytics_replica (
  replica_id uuid PRIMARY KEY,
  token uuid NOT NULL,
  previous_token uuid NOT NULL,
  host text NOT NULL,
  folder text NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now(),
  position xid8,
  -- What the replica reports of itself, and when; what commands ask of it.
  status jsonb,
  reported_at timestamptz,
  check_asked_at timestamptz,
  checked_at timestamptz,
  rebuild_asked_at timestamptz
);

-- What following by the ids of new events does not find: batches with old ids, changed sessions, and ranges of a site in which rows were
-- deleted or replaced. Written with the change, while there is a replica; deleted when every replica has seen it.
CREATE TABLE product_analytics_replica_note (
  note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  -- A batch with ids in this range.
  least_id uuid,
  greatest_id uuid,
  -- Sessions that an identify may have changed, with their attributes.
  session_ids uuid[],
  -- Rows of this site with a time in the range changed. Without an end, the range has none.
  site_id uuid,
  from_time timestamptz,
  until_time timestamptz,
  -- Nothing of the old rows may remain in a replica's file.
  erased boolean NOT NULL DEFAULT false
);

-- The notes after a replica's position.
CREATE INDEX product_analytics_replica_note_xid ON product_analytics_replica_note (xid);

-- The newest transaction whose notes were deleted. A replica that had not seen it may have missed notes, and must be rebuilt.
CREATE TABLE product_analytics_replica_horizon (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  xid xid8 NOT NULL DEFAULT '0'
);
INSERT INTO product_analytics_replica_horizon DEFAULT VALUES;

-- To be called by whatever deletes or replaces rows of a site, in the same transaction. Null for either time means all of them. Returns
-- the note's id, or null if there is no replica.
CREATE FUNCTION product_analytics_replica_resync(site uuid, from_time timestamptz, until_time timestamptz, erased boolean DEFAULT false)
RETURNS bigint LANGUAGE sql VOLATILE AS $function$
  INSERT INTO product_analytics_replica_note (site_id, from_time, until_time, erased)
  SELECT site, from_time, until_time, erased WHERE EXISTS (SELECT FROM product_analytics_replica)
  RETURNING note_id
$function$;
