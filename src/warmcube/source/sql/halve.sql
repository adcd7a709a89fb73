-- Where a large table falls into two halves, and a name by which another connection sees the same
-- snapshot. $1 schema or NULL; $2 name; $3 least size in bytes.
-- No row unless it is one plain table whose rows have a block: then `ctid < (half,0)` and
-- `ctid >= (half,0)` together are every row, each once, and Postgres 14 reads neither twice.
SELECT
    (pg_catalog.pg_relation_size(c.oid)
     / pg_catalog.current_setting('block_size')::pg_catalog.int8 / 2)::text AS half,
    pg_catalog.pg_export_snapshot() AS snapshot
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
WHERE c.relname = $2::text
  AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
           ELSE n.nspname = $1::text END
  AND c.relkind = 'r'
  AND NOT c.relhassubclass
  AND a.amname = 'heap'
  AND pg_catalog.pg_relation_size(c.oid) >= $3::text::pg_catalog.int8
  AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 140000
  AND pg_catalog.has_function_privilege('pg_catalog.pg_export_snapshot()', 'EXECUTE')
