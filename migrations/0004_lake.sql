-- additive: yes
-- Collectors that write to the lake, as each tells of itself every few seconds: what `lake status` shows, and how `lake flush`
-- reaches them. A collector that is gone leaves its row, which tells where a log with records may lie.
CREATE TABLE product_analytics_lake_writer (
  log_id uuid PRIMARY KEY,
  host text NOT NULL,
  folder text NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now(),
  backlog_bytes bigint NOT NULL DEFAULT 0,
  last_success_at timestamptz,
  failure text,
  flush_asked_at timestamptz,
  flushed_at timestamptz
);
