-- For people and for the monitor; nothing here is on the loop's path. All over the newest message
-- of every key, in bus time.

CREATE VIEW scored AS
SELECT p.model, p.version, c.completed_ms, c.completed_at, p.prediction - c.duration AS error
FROM predictions p
JOIN completed_trips c ON c.trip_id = p.trip_id
WHERE p.prediction IS NOT NULL AND c.duration BETWEEN 30::float8 AND 10800::float8;

CREATE VIEW model_perf AS
SELECT model, count(*) AS n, avg(abs(error)) AS mae,
       sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
GROUP BY model;

-- The last five minutes.
CREATE VIEW model_perf_window AS
SELECT model, count(*) AS n, avg(abs(error)) AS mae,
       sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
WHERE mz_now() < completed_at + INTERVAL '5 minutes'
GROUP BY model;

CREATE VIEW ops_perf AS
SELECT count(*)                              AS trips_started,
       count(d.trip_id)                      AS trips_completed,
       count(p.trip_id)                      AS trips_predicted,
       count(*) - count(d.trip_id)           AS trips_in_progress,
       avg((p.received_ms - u.received_ms)::float8 / 1000::float8) AS prediction_lag
FROM pick_ups u
LEFT JOIN drop_offs d          ON d.trip_id = u.trip_id
LEFT JOIN stored_predictions p ON p.trip_id = u.trip_id;

-- Messages that cannot be read, where they are the newest of their key.
CREATE VIEW bad_messages AS
SELECT 'requests' AS input, count(*) AS n FROM pick_ups_src WHERE error IS NOT NULL
UNION ALL
SELECT 'outcomes' AS input, count(*) AS n FROM drop_offs_src WHERE error IS NOT NULL
UNION ALL
SELECT 'predictions' AS input, count(*) AS n FROM predictions_src WHERE error IS NOT NULL;
