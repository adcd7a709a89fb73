-- One consistent read. None of these takes the transaction's snapshot, so that a table lock that
-- follows is held before it is taken: a TRUNCATE that commits after the snapshot shows zero rows.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL TIME ZONE 'UTC';
SET LOCAL DateStyle = 'ISO, MDY';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL standard_conforming_strings = on;
SET LOCAL extra_float_digits = 1;
SET LOCAL jit = off;
SET LOCAL idle_in_transaction_session_timeout = 0;
