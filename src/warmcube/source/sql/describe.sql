-- The columns of one relation, with domains followed to the type beneath.
-- $1 schema, or NULL for the search path; $2 name.
-- One row even for a relation without columns; no row if there is no such relation.
WITH RECURSIVE relation AS (
    SELECT c.oid, c.relkind
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = $2::text
      AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
               ELSE n.nspname = $1::text END
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
),
base AS (
    SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier
    FROM pg_catalog.pg_attribute AS a
    JOIN relation ON relation.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT base.attnum, t.typbasetype, t.typtypmod
    FROM base
    JOIN pg_catalog.pg_type AS t ON t.oid = base.type
    WHERE t.typtype = 'd'
)
SELECT
    relation.relkind::text AS relation_kind,
    pg_catalog.to_char(
        pg_catalog.transaction_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'
    ) AS as_of,
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared,
    CASE WHEN n.nspname = 'pg_catalog' THEN t.typname::text ELSE '' END AS base_type,
    base.modifier AS modifier,
    a.atttypid <> t.oid AS is_domain,
    NOT a.attnotnull AS nullable,
    COALESCE(o.collisdeterministic, TRUE) AS deterministic,
    pg_catalog.col_description(a.attrelid, a.attnum::integer) AS comment
FROM relation
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN base
    ON base.attnum = a.attnum
    AND EXISTS (SELECT FROM pg_catalog.pg_type AS b WHERE b.oid = base.type AND b.typtype <> 'd')
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = base.type
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_collation AS o ON o.oid = a.attcollation
ORDER BY a.attnum
