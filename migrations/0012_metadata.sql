-- additive: yes
-- What questions may be asked about: the properties that events and visitors have, what administrators say about fields, and what their
-- values look like.

-- How the numbers of the site are read: by Footfall's definitions, or by Umami's.
ALTER TABLE product_analytics_site
  ADD COLUMN definitions text NOT NULL DEFAULT 'strict' CHECK (definitions IN ('strict', 'umami'));

-- The keys that events (owner `event`) and visitors (owner `visitor`) of a site have had. `event_name` is '' for events without a name, and
-- '*' for a key whatever the event. Collectors add a key when they first see it, and its counts once a minute.
CREATE TABLE product_analytics_property (
  site_id uuid NOT NULL,
  owner text NOT NULL CHECK (owner IN ('event', 'visitor')),
  event_name varchar(50) NOT NULL,
  key varchar(500) NOT NULL,
  n bigint NOT NULL GENERATED ALWAYS AS (n_string + n_numeric + n_number + n_boolean + n_date + n_array) STORED,
  -- By type. `n_numeric`: strings that look like numbers.
  n_string bigint NOT NULL DEFAULT 0,
  n_numeric bigint NOT NULL DEFAULT 0,
  n_number bigint NOT NULL DEFAULT 0,
  n_boolean bigint NOT NULL DEFAULT 0,
  n_date bigint NOT NULL DEFAULT 0,
  n_array bigint NOT NULL DEFAULT 0,
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  -- What an administrator says that the values are.
  declared_type text NULL CHECK (declared_type IN ('text', 'number', 'boolean', 'date')),
  -- What the values look like.
  semantic_type text NULL,
  hidden boolean NOT NULL DEFAULT false,
  -- The id of the field that stands for it, computed from the key.
  field_id bigint NOT NULL,
  -- When its type last changed; counts are not part of that.
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (site_id, owner, event_name, key)
);

CREATE INDEX product_analytics_property_field ON product_analytics_property (field_id);
CREATE INDEX product_analytics_property_changed ON product_analytics_property (changed_at);

-- Runs a statement that changes the registry, one at a time: its limits hold, and no two statements wait for each other. The lock is taken
-- first, so that the statement sees what the one before has changed. Its parameter is `given`.
CREATE FUNCTION product_analytics_change_properties(lock bigint, statement text, given text)
RETURNS TABLE (site_id uuid, owner text, event_name text, key text) LANGUAGE plpgsql VOLATILE SET lock_timeout = '2s' AS $function$
BEGIN
  PERFORM pg_advisory_xact_lock(lock);
  RETURN QUERY EXECUTE statement USING given;
END
$function$;

-- What administrators chose for a view, and for a field: a column of a view, or a property. `name` is what the id is computed from. A key
-- that is absent from `choices` was not chosen; null is a choice, too.
CREATE TABLE product_analytics_table (
  name text PRIMARY KEY,
  choices jsonb NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE product_analytics_field (
  field_id bigint PRIMARY KEY,
  name text NOT NULL,
  choices jsonb NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- What the newest values of a field are on a site. By site, so that nobody sees values of a site that they may not read.
CREATE TABLE product_analytics_field_scan (
  field_id bigint NOT NULL,
  site_id uuid NOT NULL,
  scanned_at timestamptz NOT NULL DEFAULT now(),
  -- Rows that were read.
  rows integer NOT NULL,
  fingerprint jsonb NOT NULL,
  -- Values with their counts, the most frequent first; null if there are too many to list.
  value_list jsonb NULL,
  PRIMARY KEY (field_id, site_id)
);

CREATE INDEX product_analytics_field_scan_site ON product_analytics_field_scan (site_id, scanned_at);

-- A single row. Changes when something that processes keep in memory does; counts are not part of that.
CREATE TABLE product_analytics_metadata_revision (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  revision bigint NOT NULL DEFAULT 0
);

INSERT INTO product_analytics_metadata_revision DEFAULT VALUES;

CREATE FUNCTION product_analytics_metadata_changed() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  UPDATE product_analytics_metadata_revision SET revision = revision + 1;
  PERFORM pg_notify('footfall_changes', 'metadata');
  RETURN NULL;
END
$function$;

-- Counters are updated on their own, by statements that do not name this column.
CREATE TRIGGER product_analytics_property_changed
  AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF declared_type ON product_analytics_property
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_metadata_changed();

CREATE TRIGGER product_analytics_table_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product_analytics_table
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_metadata_changed();

CREATE TRIGGER product_analytics_field_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product_analytics_field
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_metadata_changed();
