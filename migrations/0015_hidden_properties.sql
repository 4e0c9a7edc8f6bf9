-- additive: yes
-- What is sensitive is hidden from everyone but administrators, as what is hidden is. Until now, the registry had only the latter.

UPDATE product_analytics_property AS property SET hidden = true, changed_at = clock_timestamp()
FROM product_analytics_field AS field
WHERE field.field_id = property.field_id AND field.choices ->> 'visibility' = 'sensitive' AND NOT hidden;
