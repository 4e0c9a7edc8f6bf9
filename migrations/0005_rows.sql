-- additive: yes
-- Rows as a writer sends them: a batch is a statement whose parameters are arrays of these, in Postgres' binary form, which it
-- reads in a third of the time that JSON takes. A type here never changes: a column that comes to a table later gets a type of
-- its own beside this one, so that an older collector goes on. Texts have no limit, the tables have; numbers are decimal texts.

CREATE TYPE product_analytics_session_row AS (
  created_at timestamptz,
  session_id uuid,
  site_id uuid,
  distinct_id text,
  browser text,
  os text,
  device text,
  screen text,
  language text,
  country text,
  region text,
  city text,
  first_path text,
  first_referrer_domain text,
  first_utm_source text,
  first_utm_medium text,
  first_utm_campaign text
);

CREATE TYPE product_analytics_session_data_row AS (
  created_at timestamptz,
  session_id uuid,
  site_id uuid,
  date_value timestamptz,
  data_type smallint,
  data_key text,
  string_value text,
  number_value text
);

CREATE TYPE product_analytics_event_row AS (
  created_at timestamptz,
  event_id uuid,
  site_id uuid,
  session_id uuid,
  visit_id uuid,
  event_type smallint,
  event_name text,
  tag text,
  hostname text,
  url_path text,
  url_query text,
  page_title text,
  referrer_path text,
  referrer_query text,
  referrer_domain text,
  utm_source text,
  utm_medium text,
  utm_campaign text,
  utm_content text,
  utm_term text,
  gclid text,
  fbclid text,
  msclkid text,
  ttclid text,
  li_fat_id text,
  twclid text,
  lcp text,
  inp text,
  fcp text,
  ttfb text,
  cls text,
  revenue text,
  currency text
);

CREATE TYPE product_analytics_event_data_row AS (
  created_at timestamptz,
  event_id uuid,
  site_id uuid,
  session_id uuid,
  date_value timestamptz,
  data_type smallint,
  event_name text,
  data_key text,
  string_value text,
  number_value text
);
