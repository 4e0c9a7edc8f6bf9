-- additive: yes
-- What people save: questions (cards), dashboards, segments, cohorts, notes on the time axis, and links to share them.

ALTER TABLE product_analytics_collection
  ADD COLUMN description text NULL,
  -- The collection with which this one was archived: itself, or one above it. Restoring that one restores all of them.
  ADD COLUMN archived_with integer NULL,
  ADD COLUMN revision integer NOT NULL DEFAULT 1,
  ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

CREATE INDEX product_analytics_collection_parent ON product_analytics_collection (parent_id);

-- The collection and those above it, from the outermost to the innermost.
CREATE FUNCTION product_analytics_collection_path(collection integer) RETURNS integer[]
LANGUAGE sql STABLE AS $function$
  WITH RECURSIVE above AS (
    SELECT id, parent_id, 1 AS height FROM product_analytics_collection WHERE id = collection
    UNION ALL
    SELECT parent.id, parent.parent_id, height + 1
      FROM above JOIN product_analytics_collection AS parent ON parent.id = above.parent_id
      -- Collections are at most this deep; a loop would end here, too.
      WHERE height < 20
  )
  SELECT array_agg(id ORDER BY height DESC) FROM above
$function$;

CREATE TABLE product_analytics_content (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('card', 'dashboard', 'segment', 'cohort')),
  name text NOT NULL,
  description text NULL,
  collection_id integer NOT NULL REFERENCES product_analytics_collection (id),
  -- As it was sent: `json` keeps the order of keys.
  body json NOT NULL,
  -- Of the file that ships with Footfall; null if people saved it. What is shipped cannot be changed.
  shipped_checksum text NULL,
  author_kind text NOT NULL,
  author_id text NULL,
  author_name text NOT NULL,
  archived_at timestamptz NULL,
  -- The collection with which it was archived; null if it was archived on its own.
  archived_with integer NULL,
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX product_analytics_content_collection ON product_analytics_content (collection_id, kind);

-- What refers to what: a dashboard to its cards, a card to the card, segments and cohorts in its question.
CREATE TABLE product_analytics_content_reference (
  from_id uuid NOT NULL REFERENCES product_analytics_content (id) ON DELETE CASCADE,
  to_id uuid NOT NULL REFERENCES product_analytics_content (id),
  PRIMARY KEY (from_id, to_id)
);

CREATE INDEX product_analytics_content_reference_to ON product_analytics_content_reference (to_id);

-- The newest states of each item, the current one included.
CREATE TABLE product_analytics_content_revision (
  content_id uuid NOT NULL REFERENCES product_analytics_content (id) ON DELETE CASCADE,
  number integer NOT NULL,
  change text NOT NULL,
  author_kind text NOT NULL,
  author_id text NULL,
  author_name text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  name text NOT NULL,
  description text NULL,
  body json NOT NULL,
  PRIMARY KEY (content_id, number)
);

CREATE TABLE product_analytics_timeline_event (
  id uuid PRIMARY KEY,
  -- Null: all sites.
  site_id uuid NULL REFERENCES product_analytics_site (id) ON DELETE CASCADE,
  at timestamptz NOT NULL,
  -- False: only the day of `at` matters.
  time_matters boolean NOT NULL,
  name text NOT NULL,
  description text NULL,
  icon text NOT NULL,
  archived boolean NOT NULL DEFAULT false,
  author_kind text NOT NULL,
  author_id text NULL,
  author_name text NOT NULL,
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX product_analytics_timeline_event_at ON product_analytics_timeline_event (at);

-- Who may see an item without signing in: anyone with the link, or pages that another server signs tokens for.
CREATE TABLE product_analytics_content_link (
  -- 128 random bits in hexadecimal.
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('public', 'embed')),
  content_id uuid NOT NULL REFERENCES product_analytics_content (id) ON DELETE CASCADE,
  -- The only site that the link shows. Null, for embeds only: the token names it.
  site_id uuid NULL REFERENCES product_analytics_site (id) ON DELETE CASCADE,
  -- Values of parameters by their slugs, which visitors can neither see nor change.
  locked json NOT NULL DEFAULT '{}',
  -- Slugs of parameters that visitors do not see; their defaults apply.
  hidden text[] NOT NULL DEFAULT '{}',
  exports boolean NOT NULL DEFAULT false,
  -- Sources of the directive `frame-ancestors`. Empty: no page may embed it.
  frame_ancestors text[] NOT NULL DEFAULT '{}',
  expires_at timestamptz NULL,
  author_kind text NOT NULL,
  author_id text NULL,
  author_name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (kind = 'embed' OR site_id IS NOT NULL)
);

CREATE INDEX product_analytics_content_link_content ON product_analytics_content_link (content_id);
CREATE UNIQUE INDEX product_analytics_content_link_embed ON product_analytics_content_link (content_id) WHERE kind = 'embed';
