-- The audit's schema; {schema} stands for its name, quoted. One transaction, under create.sql's lock.

SELECT pg_advisory_xact_lock(hashtext('warmcube.audit'));

CREATE SCHEMA IF NOT EXISTS {schema};
