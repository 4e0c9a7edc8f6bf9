-- additive: yes
-- What operators set up: sites, settings, keys. Small tables, read into memory by every process.

CREATE TABLE product_analytics_site (
  id uuid PRIMARY KEY,
  name varchar(100) NOT NULL,
  domains text[] NOT NULL DEFAULT '{}',
  timezone text NOT NULL,
  week_start text NOT NULL CHECK (week_start IN ('monday', 'sunday')),
  currency char(3) NOT NULL,
  rate_limit_eps double precision NULL CHECK (rate_limit_eps > 0),
  rate_limit_burst integer NULL CHECK (rate_limit_burst >= 1),
  archived_at timestamptz NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((rate_limit_eps IS NULL) = (rate_limit_burst IS NULL))
);

CREATE TABLE product_analytics_setting (
  name text PRIMARY KEY,
  value text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Secrets that Footfall made itself, such as the application secret when none was configured.
CREATE TABLE product_analytics_secret (
  name text PRIMARY KEY,
  value text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- API keys: the key itself is never stored, only its SHA-256.
CREATE TABLE product_analytics_key (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('admin', 'viewer')),
  prefix text NOT NULL,
  hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz NULL
);

-- Every process listens on this channel and reads again what the payload names.
CREATE FUNCTION product_analytics_notify() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  PERFORM pg_notify('footfall_changes', TG_ARGV[0]);
  RETURN NULL;
END
$function$;

CREATE TRIGGER product_analytics_site_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product_analytics_site
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_notify('sites');

CREATE TRIGGER product_analytics_setting_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product_analytics_setting
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_notify('settings');

CREATE TRIGGER product_analytics_key_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product_analytics_key
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_notify('keys');
