CREATE SCHEMA IF NOT EXISTS ih;
DROP TABLE IF EXISTS ih.agg_app_measures;
CREATE TABLE ih.agg_app_measures (
    measure       text           NOT NULL,
    measure_type  text           NOT NULL,
    practice_uid  integer        NOT NULL,
    practice_name text           NOT NULL,
    region        text           NOT NULL,
    provider_uid  integer,
    provider_name text,
    specialty     text           NOT NULL,
    frequency     text           NOT NULL,
    date_index    date           NOT NULL,
    measure_value numeric(14, 2),
    cases         integer        NOT NULL,
    loaded_at     timestamptz    NOT NULL
);
