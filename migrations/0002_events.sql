-- additive: yes
-- What visitors do. Nothing on an event's way updates a row: what can be derived is derived elsewhere.
-- There are no foreign keys: events of links and pixels carry the id of no site, and a check per event has no use.
-- Fixed-width columns come first, so that no bytes are lost to alignment. Nowhere is there a column for an IP address.

CREATE TABLE product_analytics_session (
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  session_id uuid PRIMARY KEY,
  site_id uuid NOT NULL,
  distinct_id varchar(50) NULL,
  browser varchar(20) NULL,
  os varchar(20) NULL,
  device varchar(20) NULL,
  screen varchar(11) NULL,
  language varchar(35) NULL,
  country char(2) NULL,
  region varchar(20) NULL,
  city varchar(50) NULL,
  first_path varchar(500) NULL,
  first_referrer_domain varchar(500) NULL,
  first_utm_source varchar(255) NULL,
  first_utm_medium varchar(255) NULL,
  first_utm_campaign varchar(255) NULL
);

-- The visitors of a site in a range, newest first; retention by site.
CREATE INDEX product_analytics_session_site ON product_analytics_session (site_id, created_at);

-- The sessions of one person: few have a distinct id, so the index holds those alone.
CREATE INDEX product_analytics_session_distinct ON product_analytics_session (site_id, distinct_id)
  WHERE distinct_id IS NOT NULL;

-- The last value of each attribute that `identify` gave. The key serves the upsert and the join from sessions.
CREATE TABLE product_analytics_session_data (
  created_at timestamptz NOT NULL,
  session_id uuid NOT NULL,
  site_id uuid NOT NULL,
  date_value timestamptz NULL,
  data_type smallint NOT NULL,
  data_key varchar(500) NOT NULL,
  string_value varchar(500) NULL,
  number_value numeric(19, 4) NULL,
  PRIMARY KEY (session_id, data_key)
);

-- Breakdown of a site's visitors by an attribute.
CREATE INDEX product_analytics_session_data_key ON product_analytics_session_data (site_id, data_key);

CREATE TABLE product_analytics_event (
  created_at timestamptz NOT NULL,
  event_id uuid NOT NULL,
  site_id uuid NOT NULL,
  session_id uuid NOT NULL,
  visit_id uuid NOT NULL,
  event_type smallint NOT NULL,
  event_name varchar(50) NULL,
  tag varchar(50) NULL,
  hostname varchar(100) NULL,
  url_path varchar(500) NOT NULL,
  url_query varchar(500) NULL,
  page_title varchar(500) NULL,
  referrer_path varchar(500) NULL,
  referrer_query varchar(500) NULL,
  referrer_domain varchar(500) NULL,
  utm_source varchar(255) NULL,
  utm_medium varchar(255) NULL,
  utm_campaign varchar(255) NULL,
  utm_content varchar(255) NULL,
  utm_term varchar(255) NULL,
  gclid varchar(255) NULL,
  fbclid varchar(255) NULL,
  msclkid varchar(255) NULL,
  ttclid varchar(255) NULL,
  li_fat_id varchar(255) NULL,
  twclid varchar(255) NULL,
  lcp numeric(10, 1) NULL,
  inp numeric(10, 1) NULL,
  fcp numeric(10, 1) NULL,
  ttfb numeric(10, 1) NULL,
  cls numeric(10, 4) NULL,
  revenue numeric(19, 4) NULL,
  currency varchar(10) NULL,
  -- Makes a repeated write of the same event a no-op, and joins properties to events. Ids are UUIDv7: they arrive in order.
  PRIMARY KEY (event_id, created_at)
) PARTITION BY RANGE (created_at);

-- A site's events in a range: every report that no derived table answers.
CREATE INDEX product_analytics_event_site ON product_analytics_event (site_id, created_at);

-- One visitor's timeline, `last_seen_at`, and the first and last view of a visit.
CREATE INDEX product_analytics_event_session ON product_analytics_event (session_id, created_at);

CREATE TABLE product_analytics_event_default PARTITION OF product_analytics_event DEFAULT;

CREATE TABLE product_analytics_event_data (
  created_at timestamptz NOT NULL,
  event_id uuid NOT NULL,
  site_id uuid NOT NULL,
  session_id uuid NOT NULL,
  date_value timestamptz NULL,
  data_type smallint NOT NULL,
  event_name varchar(50) NULL,
  data_key varchar(500) NOT NULL,
  string_value varchar(500) NULL,
  number_value numeric(19, 4) NULL,
  -- The properties of an event; never two of a key, so that a join on one key multiplies nothing.
  PRIMARY KEY (event_id, data_key, created_at)
) PARTITION BY RANGE (created_at);

-- Breakdown of an event by a property, and the property names of a site's events.
CREATE INDEX product_analytics_event_data_key ON product_analytics_event_data (site_id, event_name, data_key, created_at);

CREATE TABLE product_analytics_event_data_default PARTITION OF product_analytics_event_data DEFAULT;

-- Makes a table's partition of the month (UTC) that holds `moment`, and says whether it is attached. A table is made and then
-- attached, which leaves readers and writers of the other months alone; only rows outside all months wait meanwhile.
-- Where such rows lie in that very month, it stays as it is until the partition job has moved them.
-- A transaction makes those of one table: holding events' default partition and waiting for that of their properties, or the
-- other way round, it would end up in a circle with a reader or a writer of both.
CREATE FUNCTION product_analytics_ensure_month(parent text, moment timestamptz) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '2s' AS $function$
DECLARE
  start timestamptz := date_trunc('month', moment, 'UTC');
  finish timestamptz := (start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
  partition text := format('%s_%s', parent, to_char(start AT TIME ZONE 'UTC', 'YYYY_MM'));
  found boolean;
BEGIN
  IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent::regclass AND inhrelid = to_regclass(partition)) THEN
    RETURN true;
  END IF;
  PERFORM pg_advisory_xact_lock(4067180228);
  IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent::regclass AND inhrelid = to_regclass(partition)) THEN
    RETURN true;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE created_at >= %L AND created_at < %L)', parent || '_default', start, finish)
    INTO found;
  IF found OR to_regclass(partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION)', partition, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition, start, finish);
  RETURN true;
END
$function$;
