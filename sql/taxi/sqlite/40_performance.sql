-- For people and for the monitor; nothing here is on the loop's path. All over the rows that are
-- kept (retention), in bus time.

CREATE VIEW scored AS
SELECT p.model, p.version, c.completed_ms, p.prediction - c.duration AS error
FROM predictions p
JOIN completed_trips c ON c.trip_id = p.trip_id
WHERE p.prediction IS NOT NULL AND c.duration BETWEEN 30 AND 10800;

CREATE VIEW model_perf AS
SELECT model, count(*) AS n, avg(abs(error)) AS mae, sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
GROUP BY model;

-- The last five minutes before the newest drop-off.
CREATE VIEW model_perf_window AS
SELECT model, count(*) AS n, avg(abs(error)) AS mae, sqrt(avg(error * error)) AS rmse,
       avg(error) AS bias
FROM scored
WHERE completed_ms > (SELECT max(received_ms) FROM drop_offs) - 300000
GROUP BY model;

CREATE VIEW ops_perf AS
SELECT (SELECT count(*) FROM requests)           AS trips_started,
       (SELECT count(*) FROM outcomes)           AS trips_completed,
       (SELECT count(*) FROM stored_predictions) AS trips_predicted,
       (SELECT count(*) FROM requests r
         WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.n = r.n)) AS trips_in_progress,
       (SELECT avg(p.time_ms - r.time_ms) / 1000.0
          FROM stored_predictions p JOIN requests r ON r.n = p.n)     AS prediction_lag;
