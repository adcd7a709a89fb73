-- Lines as they are; the columns beside them follow from them.
INSERT INTO {schema}.{table} (at, event, actor, subject, datasource, trail, number, line)
SELECT (line ->> 'time')::timestamptz, line ->> 'event', line ->> 'actor', line ->> 'subject',
       (line ->> 'datasource')::bigint, line ->> 'trail', (line ->> 'number')::bigint, line
FROM unnest(%s::text[]::jsonb[]) AS line
ON CONFLICT DO NOTHING
