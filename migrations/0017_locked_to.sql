-- additive: yes
-- What each locked parameter of a link was mapped to when the link was made, by its slug. A lock without it shows nothing: what it limited is
-- not known.

ALTER TABLE product_analytics_content_link ADD COLUMN locked_to json NOT NULL DEFAULT '{}';
