-- additive: yes
-- A question may use a column several times, and the planner would look for a session's newest event each time. A lateral join looks once,
-- and not at all if the column is not used.

CREATE OR REPLACE VIEW v_pa_sessions AS
SELECT
  session_id AS id,
  session_id AS session_uuid,
  site_id,
  distinct_id,
  browser,
  os,
  device,
  screen,
  language,
  country,
  region AS subdivision1,
  city,
  session.created_at,
  updated_at,
  coalesce(newest.created_at, session.created_at) AS last_seen_at,
  first_referrer_domain,
  first_utm_source,
  first_utm_medium,
  first_utm_campaign,
  first_path,
  region
FROM product_analytics_session AS session
LEFT JOIN LATERAL (
  SELECT max(event.created_at) FROM product_analytics_event AS event WHERE event.session_id = session.session_id
) AS newest (created_at) ON true;
