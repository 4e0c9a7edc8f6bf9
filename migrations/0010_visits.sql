-- additive: yes
-- The last two views that questions may read. Visits here are as the collector stored them; questions split a visitor's events at gaps of
-- 30 minutes instead, unless they ask for Umami's reading.
CREATE VIEW v_pa_visits AS
SELECT
  visit.id,
  visit.site_id,
  visit.session_id,
  visit.started_at,
  visit.ended_at,
  visit.pageviews,
  visit.events,
  CAST(floor(extract(epoch FROM visit.ended_at - visit.started_at)) AS bigint) AS duration_s,
  visit.pageviews = 1 AND visit.events = 0 AS is_bounce,
  visit.entry_path,
  visit.exit_path,
  visit.referrer_domain,
  visit.channel,
  visit.utm_source,
  visit.utm_medium,
  visit.utm_campaign,
  visit.utm_content,
  visit.utm_term,
  visitor.country,
  visitor.device,
  visitor.browser,
  visitor.os
FROM (
  SELECT
    visit_id AS id,
    site_id,
    session_id,
    min(created_at) AS started_at,
    max(created_at) AS ended_at,
    count(*) FILTER (WHERE event_type <> 2) AS pageviews,
    count(*) FILTER (WHERE event_type = 2) AS events,
    (array_agg(url_path ORDER BY created_at, id) FILTER (WHERE event_type <> 2))[1] AS entry_path,
    (array_agg(url_path ORDER BY created_at DESC, id DESC) FILTER (WHERE event_type <> 2))[1] AS exit_path,
    (array_agg(referrer_domain ORDER BY created_at, id))[1] AS referrer_domain,
    (array_agg(channel ORDER BY created_at, id))[1] AS channel,
    (array_agg(utm_source ORDER BY created_at, id))[1] AS utm_source,
    (array_agg(utm_medium ORDER BY created_at, id))[1] AS utm_medium,
    (array_agg(utm_campaign ORDER BY created_at, id))[1] AS utm_campaign,
    (array_agg(utm_content ORDER BY created_at, id))[1] AS utm_content,
    (array_agg(utm_term ORDER BY created_at, id))[1] AS utm_term
  FROM v_pa_events
  WHERE event_type <> 5
  GROUP BY visit_id, site_id, session_id
) AS visit
LEFT JOIN product_analytics_session AS visitor ON visitor.session_id = visit.session_id;

-- Steps from one pageview to the next of a visitor. A page that the visitor has already seen is not a new step.
CREATE VIEW v_pa_user_flows AS
SELECT site_id, date_trunc('day', created_at, 'UTC') AS day, step, source, target, count(*) AS value
FROM (
  SELECT
    site_id,
    created_at,
    source,
    target,
    row_number() OVER (PARTITION BY site_id, session_id ORDER BY created_at, event_id) AS step
  FROM (
    SELECT
      site_id,
      session_id,
      created_at,
      event_id,
      url_path AS target,
      lag(url_path) OVER (PARTITION BY site_id, session_id ORDER BY created_at, event_id) AS source,
      row_number() OVER (PARTITION BY site_id, session_id, url_path ORDER BY created_at, event_id) AS seen
    FROM product_analytics_event
    WHERE event_type = 1
  ) AS pageview
  WHERE seen = 1 AND source IS NOT NULL
) AS flow
GROUP BY site_id, date_trunc('day', created_at, 'UTC'), step, source, target;

DO $grant$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'footfall_reader') THEN
    GRANT SELECT ON v_pa_visits, v_pa_user_flows TO footfall_reader;
  END IF;
END
$grant$;
