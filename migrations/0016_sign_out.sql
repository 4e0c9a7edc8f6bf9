-- additive: yes
-- What a user's identity provider needs to end its own session, too. Sealed: only Footfall's processes can read it.

ALTER TABLE product_analytics_user_session ADD COLUMN provider_session text NULL;
