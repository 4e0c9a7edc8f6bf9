-- additive: yes
-- Who uses a spool. A copy of a spool's folder has the same id, and two collectors that flush under one id would each skip events of the
-- other. `owner` is a token of the process that opened it last, `place` says on which machine and in which folder, and `begin_position` is
-- where the spool ended then.
ALTER TABLE product_analytics_lake_writer
  ADD COLUMN owner uuid,
  ADD COLUMN place text,
  ADD COLUMN begin_position bigint;
