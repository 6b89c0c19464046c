-- For people and for the monitor; nothing here is on the loop's path. All over the newest message
-- of every key, in bus time.
--
-- Sizes, the same on both engines: a window is the last 5 minutes, or the newest 1,000 labels; lags
-- are those of the newest 10,000 completed trips; cohorts reach back a day. What is not indexed
-- (90_indexes.sql) is computed when it is asked for, and takes no memory in between.

CREATE VIEW labelled_trips AS
SELECT trip_id, completed_ms, completed_at, duration, pick_up_ms
FROM completed_trips
WHERE duration BETWEEN 30::float8 AND 10800::float8;

CREATE VIEW scored AS
SELECT p.trip_id, p.model, p.version, c.completed_ms, c.completed_at,
       c.pick_up_ms / 3600000 % 24 AS hour,
       CASE WHEN c.pick_up_ms / 86400000 % 7 IN (2, 3) THEN '1' ELSE '0' END AS is_weekend,
       p.prediction - c.duration AS error
FROM predictions p
JOIN labelled_trips c ON c.trip_id = p.trip_id
WHERE p.prediction IS NOT NULL;

CREATE VIEW model_perf AS
SELECT model, count(*) AS n, avg(abs(error)) AS mae,
       sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
GROUP BY model;

-- By the hour of day in which the trip began, in the event's own time.
CREATE VIEW model_perf_by_hour AS
SELECT hour, model, count(*) AS n, avg(abs(error)) AS mae,
       sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
GROUP BY hour, model;

-- By the value of each boolean or categorical feature: one SELECT a feature, with UNION ALL.
CREATE VIEW model_perf_by_feature AS
SELECT 'is_weekend' AS feature, is_weekend AS value, model, count(*) AS n,
       avg(abs(error)) AS mae,
       sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
GROUP BY is_weekend, model;

-- The newest labelled trips.
CREATE VIEW newest_labels AS
SELECT c.trip_id, p.predictions, c.duration
FROM labelled_trips c
JOIN stored_predictions p ON p.trip_id = c.trip_id
WHERE mz_now() <= c.completed_at + INTERVAL '${window_seconds} seconds'
ORDER BY c.completed_ms DESC, c.trip_id DESC
LIMIT 1000;

-- span "minutes": the last 5, in whole seconds; span "labels": the newest 1,000.
CREATE VIEW model_perf_window AS
SELECT 'minutes' AS span, 5 AS size, model, count(*) AS n, avg(abs(error)) AS mae,
       sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
WHERE mz_now() < date_trunc('second', completed_at) + INTERVAL '5 minutes'
GROUP BY model
UNION ALL
SELECT 'labels' AS span, 1000 AS size, s.model, count(*) AS n, avg(abs(s.error)) AS mae,
       sqrt(avg(s.error * s.error)) AS rmse,
       avg(s.error) AS bias
FROM scored s
JOIN newest_labels l ON l.trip_id = s.trip_id
GROUP BY s.model;

-- By the minute of the prediction: how many of it have their label by now, and how good those were.
-- Short trips come back first: a young cohort looks better than it is. Without a label yet, one row
-- with model NULL.
CREATE VIEW cohort_sizes AS
SELECT p.received_ms / 60000 * 60000 AS predicted_from_ms, count(*) AS predicted,
       count(c.trip_id) AS labelled
FROM stored_predictions p
LEFT JOIN labelled_trips c ON c.trip_id = p.trip_id
WHERE mz_now() <= p.received_at + INTERVAL '1 day'
GROUP BY p.received_ms / 60000 * 60000;

CREATE VIEW cohort_errors AS
SELECT p.received_ms / 60000 * 60000 AS predicted_from_ms, s.model, avg(abs(s.error)) AS mae
FROM stored_predictions p
JOIN scored s ON s.trip_id = p.trip_id
WHERE mz_now() <= p.received_at + INTERVAL '1 day'
GROUP BY p.received_ms / 60000 * 60000, s.model;

CREATE VIEW cohorts AS
SELECT c.predicted_from_ms, e.model, c.predicted, c.labelled,
       c.labelled::float8 / c.predicted::float8 AS completeness, e.mae
FROM cohort_sizes c
LEFT JOIN cohort_errors e ON e.predicted_from_ms = c.predicted_from_ms;

-- The newest completed trips, with what came when.
CREATE VIEW newest_trips AS
SELECT u.trip_id, u.received_ms AS request_ms, p.received_ms AS prediction_ms,
       d.received_ms AS outcome_ms
FROM pick_ups u
JOIN drop_offs d          ON d.trip_id = u.trip_id
JOIN stored_predictions p ON p.trip_id = u.trip_id
WHERE mz_now() <= d.received_at + INTERVAL '${window_seconds} seconds'
ORDER BY d.received_ms DESC, u.trip_id DESC
LIMIT 10000;

CREATE VIEW stage_lags AS
SELECT 'request-prediction' AS stage, greatest(prediction_ms - request_ms, 0) AS ms
FROM newest_trips
UNION ALL
SELECT 'prediction-outcome' AS stage, greatest(outcome_ms - prediction_ms, 0) AS ms
FROM newest_trips
UNION ALL
SELECT 'outcome-row' AS stage, greatest(request_ms, prediction_ms, outcome_ms) - outcome_ms AS ms
FROM newest_trips;

CREATE VIEW lag_values AS
SELECT stage, ms,
       CASE WHEN ms < 100 THEN ms WHEN ms < 1000 THEN ms / 10 * 10
            WHEN ms < 10000 THEN ms / 100 * 100 WHEN ms < 100000 THEN ms / 1000 * 1000
            WHEN ms < 1000000 THEN ms / 10000 * 10000
            WHEN ms < 10000000 THEN ms / 100000 * 100000
            ELSE ms / 1000000 * 1000000 END AS bucket_ms
FROM stage_lags;

CREATE VIEW lag_buckets AS
SELECT stage, bucket_ms, count(*) AS n, sum(ms::float8) AS total_ms, max(ms) AS max_ms
FROM lag_values
GROUP BY stage, bucket_ms;

CREATE VIEW lag_ranks AS
SELECT a.stage, a.bucket_ms, sum(b.n::float8) AS up_to
FROM lag_buckets a
JOIN lag_buckets b ON b.stage = a.stage AND b.bucket_ms <= a.bucket_ms
GROUP BY a.stage, a.bucket_ms;

CREATE VIEW lag_totals AS
SELECT stage, sum(n::float8) AS n, sum(total_ms) / sum(n::float8) AS mean_ms,
       max(max_ms) AS max_ms
FROM lag_buckets
GROUP BY stage;

-- Milliseconds from each stage to the next; the row is there when the last of its parts is. The
-- percentiles are of a histogram (there is no percentile_cont), rounded down to two digits.
CREATE VIEW lag_by_stage AS
SELECT t.stage, t.n, t.mean_ms,
       min(r.bucket_ms) FILTER (WHERE r.up_to * 100::float8 >= t.n * 50::float8) AS p50_ms,
       min(r.bucket_ms) FILTER (WHERE r.up_to * 100::float8 >= t.n * 95::float8) AS p95_ms,
       min(r.bucket_ms) FILTER (WHERE r.up_to * 100::float8 >= t.n * 99::float8) AS p99_ms,
       t.max_ms
FROM lag_totals t
JOIN lag_ranks r ON r.stage = t.stage
GROUP BY t.stage, t.n, t.mean_ms, t.max_ms;

-- prediction_lag, in seconds, over the newest 10,000 completed trips.
CREATE VIEW trip_counts AS
SELECT count(*)             AS trips_started,
       count(d.trip_id)     AS trips_completed,
       count(p.trip_id)     AS trips_predicted
FROM pick_ups u
LEFT JOIN drop_offs d          ON d.trip_id = u.trip_id
LEFT JOIN stored_predictions p ON p.trip_id = u.trip_id;

CREATE VIEW ops_perf AS
SELECT c.trips_started, c.trips_completed, c.trips_predicted,
       c.trips_started - c.trips_completed AS trips_in_progress,
       l.mean_ms / 1000::float8 AS prediction_lag
FROM trip_counts c
LEFT JOIN lag_totals l ON l.stage = 'request-prediction';

-- Messages that cannot be read, where they are the newest of their key.
CREATE VIEW bad_messages AS
SELECT 'requests' AS input, count(*) AS n FROM pick_ups_src WHERE error IS NOT NULL
UNION ALL
SELECT 'outcomes' AS input, count(*) AS n FROM drop_offs_src WHERE error IS NOT NULL
UNION ALL
SELECT 'predictions' AS input, count(*) AS n FROM predictions_src WHERE error IS NOT NULL;
