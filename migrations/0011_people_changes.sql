-- additive: yes
-- Signing in, which sets last_login_at, is not a change that processes must read again.

DROP TRIGGER product_analytics_user_changed ON product_analytics_user;

CREATE TRIGGER product_analytics_user_changed
  AFTER INSERT OR UPDATE OF email, name, password_hash, disabled_at OR DELETE OR TRUNCATE ON product_analytics_user
  FOR EACH STATEMENT EXECUTE FUNCTION product_analytics_notify('people');

-- For deleting expired links.
CREATE INDEX product_analytics_user_link_expiry ON product_analytics_user_link (expires_at);

-- The audit log by what was changed.
CREATE INDEX product_analytics_audit_target ON product_analytics_audit (target_kind, target_id, id);
