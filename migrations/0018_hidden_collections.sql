-- additive: yes
-- A collection has the level of the nearest one above it that has a row, unless it has its own, which may be 'none'. A group without a row in
-- any of them has no access.

ALTER TABLE product_analytics_collection_permission
  DROP CONSTRAINT product_analytics_collection_permission_level_check,
  ADD CONSTRAINT product_analytics_collection_permission_level_check CHECK (level IN ('none', 'read', 'write'));
