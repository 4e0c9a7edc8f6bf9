-- additive: yes
-- What people's questions see. Names and columns of these views are a public contract; the tables beneath are not.
-- A column that is computed for each row stands in the select list alone, so it costs nothing where nobody asks for it.

-- The version of the rules in product_analytics_channel. What is derived from a channel keeps it, to know when to derive anew.
CREATE FUNCTION product_analytics_channel_version() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 1';

-- How a visitor came, by the first rule that fits: direct, paid ads, then by medium and by the referrer's kind, then any other
-- referrer; '' is what no rule knows. A link from the site itself is no referrer. Computed when asked for, about 2 us each:
-- stored, it would cost every event's row, and its rules change.
CREATE FUNCTION product_analytics_channel(
  referrer_domain text, hostname text, url_query text, utm_source text, utm_medium text, click_id text
) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $function$
DECLARE
  own text := CASE WHEN hostname LIKE 'www.%' THEN substr(hostname, 5) ELSE hostname END;
  referrer text := CASE WHEN referrer_domain IN (hostname, own) THEN '' ELSE coalesce(referrer_domain, '') END;
  query text;
  medium text := coalesce(lower(utm_medium), '');
  prefix text := 'organic';
  site text := '';
  brand text := '';
  is_mail boolean := false;
BEGIN
  IF referrer = '' AND coalesce(url_query, '') = '' THEN
    RETURN 'direct';
  END IF;
  IF click_id <> '' OR medium IN ('cpc', 'cpm', 'cpv', 'paid', 'paid_social') THEN
    RETURN 'paidAds';
  END IF;
  IF url_query LIKE '%=%' THEN
    query := '&' || lower(url_query);
    IF query LIKE ANY (ARRAY['%&dclid=%', '%&gbraid=%', '%&wbraid=%', '%&yclid=%', '%&epik=%', '%&rdt_cid=%', '%&sccid=%', '%&scid=%', '%&ob_click_id=%']) THEN
      RETURN 'paidAds';
    END IF;
  END IF;
  IF medium <> '' THEN
    IF medium LIKE ANY (ARRAY['%referral%', '%app%', '%link%']) THEN
      RETURN 'referral';
    ELSIF medium LIKE '%affiliate%' THEN
      RETURN 'affiliate';
    ELSIF medium LIKE ANY (ARRAY['p%', '%ppc%', '%retargeting%', '%paid%']) THEN
      prefix := 'paid';
    END IF;
  END IF;
  IF medium LIKE '%sms%' OR lower(utm_source) LIKE '%sms%' THEN
    RETURN 'sms';
  END IF;
  IF referrer <> '' THEN
    -- The domain that someone registered, and its first word: mail.google.co.uk, google.
    referrer := lower(referrer);
    brand := split_part(referrer, '.', -2);
    site := brand || '.' || split_part(referrer, '.', -1);
    IF brand IN ('co', 'com', 'net', 'org') THEN
      brand := split_part(referrer, '.', -3);
    END IF;
    is_mail := split_part(referrer, '.', 1) IN ('mail', 'webmail', 'outlook') OR site IN ('mail.ru', 'gmx.net', 'gmx.com', 'gmx.de', 'web.de', 'proton.me', 'protonmail.com', 'zoho.com', 'fastmail.com', 'hey.com');
  END IF;
  IF medium LIKE '%organic%' OR NOT is_mail AND (brand IN ('google', 'bing', 'yahoo', 'yandex', 'duckduckgo', 'baidu', 'naver', 'seznam', 'sogou', 'ecosia', 'qwant', 'startpage', 'daum', 'kagi', 'swisscows', 'mojeek', 'petalsearch') OR site IN ('brave.com', 'ask.com', 'aol.com', 'so.com')) THEN
    RETURN prefix || 'Search';
  ELSIF medium LIKE '%social%' OR site IN ('facebook.com', 'fb.me', 'instagram.com', 'threads.net', 'threads.com', 'twitter.com', 'x.com', 't.co', 'linkedin.com', 'lnkd.in', 'reddit.com', 'redd.it', 'pin.it', 'tumblr.com', 'snapchat.com', 'tiktok.com', 'quora.com', 'vk.com', 'ok.ru', 'weibo.com', 'weibo.cn', 'xing.com', 'bsky.app', 'mastodon.social', 'mastodon.online', 'ycombinator.com', 'lobste.rs', 'discord.com', 'whatsapp.com', 'wa.me', 'telegram.org', 'telegram.me', 't.me', 'nextdoor.com', 'zhihu.com', 'xiaohongshu.com', 'stackoverflow.com', 'producthunt.com') OR brand = 'pinterest' THEN
    RETURN prefix || 'Social';
  ELSIF is_mail OR medium LIKE '%mail%' THEN
    RETURN 'email';
  ELSIF medium LIKE '%shop%' OR brand IN ('amazon', 'ebay', 'etsy', 'walmart', 'aliexpress', 'alibaba', 'allegro', 'zalando', 'otto', 'idealo', 'shopee', 'lazada', 'rakuten', 'mercadolibre', 'mercadolivre', 'temu', 'taobao', 'tmall') OR site IN ('shop.app', 'jd.com') THEN
    RETURN prefix || 'Shopping';
  ELSIF medium LIKE '%video%' OR site IN ('youtube.com', 'youtu.be', 'vimeo.com', 'dailymotion.com', 'twitch.tv', 'bilibili.com', 'netflix.com', 'rumble.com', 'odysee.com', 'douyin.com', 'youku.com') THEN
    RETURN prefix || 'Video';
  ELSIF referrer <> '' THEN
    RETURN 'referral';
  END IF;
  RETURN '';
END
$function$;

CREATE VIEW v_pa_sites AS
SELECT
  id,
  id AS uuid,
  name,
  array_to_string(domains, ',') AS allowed_domains,
  archived_at IS NOT NULL AS archived,
  created_at,
  updated_at,
  timezone,
  week_start,
  currency
FROM product_analytics_site;

CREATE VIEW v_pa_sessions AS
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
  created_at,
  updated_at,
  coalesce(
    (SELECT max(event.created_at) FROM product_analytics_event AS event WHERE event.session_id = session.session_id),
    created_at
  ) AS last_seen_at,
  first_referrer_domain,
  first_utm_source,
  first_utm_medium,
  first_utm_campaign,
  first_path,
  region
FROM product_analytics_session AS session;

-- No visit spans more than a day, which tells the planner in which months the views before and after one can be.
CREATE VIEW v_pa_events AS
SELECT
  event_id AS id,
  site_id,
  session_id,
  visit_id,
  event_type,
  event_name,
  url_path,
  url_query,
  referrer_path,
  referrer_query,
  referrer_domain,
  page_title,
  utm_source,
  utm_medium,
  utm_campaign,
  utm_content,
  utm_term,
  gclid,
  fbclid,
  created_at,
  hostname,
  tag,
  msclkid,
  ttclid,
  li_fat_id,
  twclid,
  product_analytics_channel(
    referrer_domain, hostname, url_query, utm_source, utm_medium, coalesce(gclid, fbclid, msclkid, ttclid, li_fat_id, twclid)
  ) AS channel,
  lcp,
  inp,
  fcp,
  ttfb,
  cls,
  revenue,
  currency,
  event_type = 1 AND NOT EXISTS (
    SELECT FROM product_analytics_event AS earlier
    WHERE earlier.session_id = event.session_id AND earlier.visit_id = event.visit_id AND earlier.event_type = 1
      AND earlier.created_at BETWEEN event.created_at - interval '1 day' AND event.created_at
      AND (earlier.created_at, earlier.event_id) < (event.created_at, event.event_id)
  ) AS is_entry,
  event_type = 1 AND NOT EXISTS (
    SELECT FROM product_analytics_event AS later
    WHERE later.session_id = event.session_id AND later.visit_id = event.visit_id AND later.event_type = 1
      AND later.created_at BETWEEN event.created_at AND event.created_at + interval '1 day'
      AND (later.created_at, later.event_id) > (event.created_at, event.event_id)
  ) AS is_exit
FROM product_analytics_event AS event;

-- A property is known by its event and key; the id is for tools that want one column.
CREATE VIEW v_pa_event_data AS
SELECT
  md5(event_id::text || data_key)::uuid AS id,
  event_id,
  data_key,
  string_value,
  number_value,
  date_value,
  data_type,
  created_at,
  site_id,
  session_id
FROM product_analytics_event_data;

CREATE VIEW v_pa_session_data AS
SELECT
  md5(session_id::text || data_key)::uuid AS id,
  session_id,
  data_key,
  string_value,
  number_value,
  date_value,
  data_type,
  created_at,
  site_id,
  (SELECT session.distinct_id FROM product_analytics_session AS session WHERE session.session_id = attribute.session_id) AS distinct_id
FROM product_analytics_session_data AS attribute;

-- People's questions run as this role: it reads the views and nothing else. Roles are of the whole server, so another
-- database may have made it, even at this moment. Where the migrating role may not make roles, an administrator can.
DO $role$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'footfall_reader') THEN
    BEGIN
      CREATE ROLE footfall_reader NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
  -- From Postgres 16 on, whoever makes a role may grant it and yet not become it.
  IF NOT pg_has_role(current_user, 'footfall_reader', CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
    EXECUTE format('GRANT footfall_reader TO %I', current_user);
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'This role may not create footfall_reader; questions run as the application''s own role.';
END
$role$;

DO $grant$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'footfall_reader') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO footfall_reader', current_schema());
    GRANT SELECT ON v_pa_sites, v_pa_sessions, v_pa_events, v_pa_event_data, v_pa_session_data TO footfall_reader;
  END IF;
END
$grant$;
