-- What kind of relation this is, and whether this user may read it. $1 schema or NULL; $2 name.
SELECT
    c.relkind::text AS relation_kind,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use_schema,
    pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS may_select
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = $2::text
  AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
           ELSE n.nspname = $1::text END
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
