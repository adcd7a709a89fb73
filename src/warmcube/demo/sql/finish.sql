CREATE INDEX ON ih.agg_app_measures (measure, frequency, practice_uid, provider_uid, date_index);
