-- For people and for the monitor; nothing here is on the loop's path. All in bus time.
--
-- Sizes, the same on both engines: a window is the last 5 minutes, or the newest 1,000 labels; lags
-- are those of the newest 10,000 completed trips; cohorts reach back a day.
--
-- The engine keeps table score_sums (docs/tasks.md) as rows of learning_queue go out, so that these
-- views answer at once: of all labelled trips ever, also those that retention has forgotten since.

CREATE INDEX outcomes_by_time ON outcomes(time_ms);

-- Row by row, over the rows that are kept. For questions of your own: it reads all of them.
CREATE VIEW scored AS
SELECT p.trip_id, p.model, p.version, c.completed_ms, p.prediction - c.duration AS error
FROM predictions p
JOIN completed_trips c ON c.trip_id = p.trip_id
WHERE p.prediction IS NOT NULL AND c.duration BETWEEN 30 AND 10800;

CREATE VIEW model_perf AS
SELECT model, n, abs_error / n AS mae, sqrt(square_error / n) AS rmse, error / n AS bias
FROM score_sums
WHERE slice = '';

-- By the hour of day in which the trip began, in the event's own time.
CREATE VIEW model_perf_by_hour AS
SELECT CAST(value AS INTEGER) AS hour, model, n, abs_error / n AS mae,
       sqrt(square_error / n) AS rmse, error / n AS bias
FROM score_sums
WHERE slice = 'hour';

-- By the value of each boolean or categorical feature.
CREATE VIEW model_perf_by_feature AS
SELECT slice AS feature, value, model, n, abs_error / n AS mae,
       sqrt(square_error / n) AS rmse, error / n AS bias
FROM score_sums
WHERE slice IN ('is_weekend');

-- The newest labelled trips.
CREATE VIEW newest_labels AS
SELECT r.key AS trip_id, p.predictions,
       (time_at(o.value, 'drop_off_datetime') - time_at(r.value, 'pickup_datetime')) / 1000.0
         AS duration
FROM outcomes o
CROSS JOIN requests r           ON r.n = o.n
CROSS JOIN stored_predictions p ON p.n = o.n
WHERE time_at(o.value, 'drop_off_datetime') - time_at(r.value, 'pickup_datetime')
      BETWEEN 30000 AND 10800000
ORDER BY o.time_ms DESC, r.key DESC
LIMIT 1000;

-- span "minutes": the last 5, in whole seconds, before the newest drop-off; span "labels": the
-- newest 1,000.
CREATE VIEW model_perf_window AS
SELECT 'minutes' AS span, 5 AS size, model, sum(n) AS n, sum(abs_error) / sum(n) AS mae,
       sqrt(sum(square_error) / sum(n)) AS rmse, sum(error) / sum(n) AS bias
FROM score_sums
WHERE slice = '@completed' AND model <> ''
  AND value > (SELECT max(time_ms) FROM (SELECT max(time_ms) AS time_ms FROM outcomes
                                         UNION ALL
                                         SELECT max(time_ms) FROM early_outcomes)) - 300000
GROUP BY model
UNION ALL
SELECT 'labels', 1000, model, count(*), avg(abs(error)), sqrt(avg(error * error)), avg(error)
FROM (SELECT m.key AS model, number_at(m.value, 'value') - l.duration AS error
      FROM newest_labels l JOIN json_each(l.predictions) m)
WHERE error IS NOT NULL
GROUP BY model;

-- By the minute of the prediction: how many of it have their label by now, and how good those were.
-- Short trips come back first: a young cohort looks better than it is. Without a label yet, one row
-- with model NULL.
CREATE VIEW cohorts AS
SELECT p.value AS predicted_from_ms, m.model, p.n AS predicted, coalesce(l.n, 0) AS labelled,
       coalesce(l.n, 0) * 1.0 / p.n AS completeness, m.abs_error / m.n AS mae
FROM score_sums p
LEFT JOIN score_sums l ON l.slice = '@labelled' AND l.value = p.value AND l.model = ''
LEFT JOIN score_sums m ON m.slice = '@labelled' AND m.value = p.value AND m.model <> ''
WHERE p.slice = '@predicted';

-- The newest completed trips, with what came when.
CREATE VIEW newest_trips AS
SELECT r.key AS trip_id, r.time_ms AS request_ms, p.time_ms AS prediction_ms,
       o.time_ms AS outcome_ms
FROM outcomes o
CROSS JOIN requests r           ON r.n = o.n
CROSS JOIN stored_predictions p ON p.n = o.n
WHERE r.n NOT IN (SELECT n FROM refused)
ORDER BY o.time_ms DESC, r.key DESC
LIMIT 10000;

-- Milliseconds from each stage to the next; the row is there when the last of its parts is. The
-- percentiles are of a histogram, rounded down to two digits.
CREATE VIEW lag_by_stage AS
WITH trips AS MATERIALIZED (SELECT * FROM newest_trips),
lags AS (
    SELECT 'request-prediction' AS stage, max(prediction_ms - request_ms, 0) AS ms FROM trips
    UNION ALL
    SELECT 'prediction-outcome', max(outcome_ms - prediction_ms, 0) FROM trips
    UNION ALL
    SELECT 'outcome-row', max(request_ms, prediction_ms, outcome_ms) - outcome_ms FROM trips),
buckets AS MATERIALIZED (
    SELECT stage,
           CASE WHEN ms < 100 THEN ms WHEN ms < 1000 THEN ms / 10 * 10
                WHEN ms < 10000 THEN ms / 100 * 100 WHEN ms < 100000 THEN ms / 1000 * 1000
                WHEN ms < 1000000 THEN ms / 10000 * 10000
                WHEN ms < 10000000 THEN ms / 100000 * 100000
                ELSE ms / 1000000 * 1000000 END AS bucket_ms,
           count(*) AS n, sum(ms) AS total_ms, max(ms) AS max_ms
    FROM lags
    GROUP BY stage, bucket_ms),
ranks AS (
    SELECT a.stage, a.bucket_ms, sum(b.n) AS up_to
    FROM buckets a JOIN buckets b ON b.stage = a.stage AND b.bucket_ms <= a.bucket_ms
    GROUP BY a.stage, a.bucket_ms),
totals AS (
    SELECT stage, sum(n) AS n, sum(total_ms) * 1.0 / sum(n) AS mean_ms, max(max_ms) AS max_ms
    FROM buckets
    GROUP BY stage)
SELECT t.stage, t.n, t.mean_ms,
       min(r.bucket_ms) FILTER (WHERE r.up_to * 100 >= t.n * 50) AS p50_ms,
       min(r.bucket_ms) FILTER (WHERE r.up_to * 100 >= t.n * 95) AS p95_ms,
       min(r.bucket_ms) FILTER (WHERE r.up_to * 100 >= t.n * 99) AS p99_ms,
       t.max_ms
FROM totals t JOIN ranks r ON r.stage = t.stage
GROUP BY t.stage, t.n, t.mean_ms, t.max_ms;

-- Over the rows that are kept; prediction_lag, in seconds, over the newest 10,000 completed trips.
CREATE VIEW ops_perf AS
SELECT started AS trips_started, completed AS trips_completed, predicted AS trips_predicted,
       started - completed AS trips_in_progress, prediction_lag
FROM (SELECT (SELECT count(*) FROM requests)           AS started,
             (SELECT count(*) FROM outcomes)           AS completed,
             (SELECT count(*) FROM stored_predictions) AS predicted,
             (SELECT avg(max(prediction_ms - request_ms, 0)) / 1000.0
                FROM newest_trips)                     AS prediction_lag);
