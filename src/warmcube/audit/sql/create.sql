-- The audit's table; {schema} and {table} stand for the names, quoted. One transaction.

-- CREATE … IF NOT EXISTS by two at once can fail; only one is here at a time.
SELECT pg_advisory_xact_lock(hashtext('warmcube.audit'));

CREATE TABLE IF NOT EXISTS {schema}.{table} (
    at timestamptz NOT NULL,
    event text NOT NULL,
    actor text,
    subject text,
    datasource bigint,
    -- Drawn by the process that wrote the line, and the line's number in it.
    trail text NOT NULL,
    number bigint NOT NULL,
    line jsonb NOT NULL,
    -- A line that is written again, since nobody knows whether it arrived, is there once.
    PRIMARY KEY (trail, number)
);
