-- Average speed of completed trips by the hour of their pick-up, in degrees (L1) a second. Only trips
-- within label_range count: one that ends after a second would be hundreds of times as fast as the rest.
CREATE VIEW hourly_speed AS
SELECT pick_up_ms / 3600000 % 24 AS hour, count(*) AS trips,
       sum(l1_distance / nullif(duration, 0::float8)) AS speed_sum
FROM completed_trips
WHERE duration BETWEEN 30::float8 AND 10800::float8 AND l1_distance IS NOT NULL
GROUP BY pick_up_ms / 3600000 % 24;

-- What needs no aggregate. A request without its own time has no hour, and no label later.
-- Day 0 of Unix time was a Thursday: 2 and 3 after it are the weekend.
CREATE VIEW request_features AS
SELECT trip_id, received_at, pick_up_ms / 3600000 % 24 AS hour, passenger_count,
       CASE WHEN pick_up_ms / 86400000 % 7 IN (2, 3) THEN 1 ELSE 0 END AS is_weekend,
       abs(pick_up_longitude - drop_off_longitude)
         + abs(pick_up_latitude - drop_off_latitude) AS l1_distance,
       cos(6.283185307179586::float8 * (pick_up_ms / 3600000 % 24)::float8 / 24::float8)
         AS hour_cos,
       sin(6.283185307179586::float8 * (pick_up_ms / 3600000 % 24)::float8 / 24::float8)
         AS hour_sin
FROM pick_ups
WHERE pick_up_ms IS NOT NULL;

-- One row a request that can be predicted, for queries.
CREATE VIEW features AS
SELECT r.trip_id, r.passenger_count, r.is_weekend, r.l1_distance,
       coalesce(h.speed_sum / h.trips::float8, 0::float8) AS avg_speed_by_hour,
       r.hour_cos, r.hour_sin
FROM request_features r
LEFT JOIN hourly_speed h ON h.hour = r.hour;

-- Those that have no prediction yet and are within the window: oxbow-views subscribes to this and
-- publishes each key once. The window is of the bus's time; a replayed trip is years old.
CREATE VIEW pending_requests AS
SELECT r.trip_id, r.received_at, r.hour, r.passenger_count, r.is_weekend, r.l1_distance,
       r.hour_cos, r.hour_sin
FROM request_features r
WHERE mz_now() <= r.received_at + INTERVAL '${window_seconds} seconds'
  AND NOT EXISTS (SELECT 1 FROM stored_predictions p WHERE p.trip_id = r.trip_id);

-- The aggregate comes last: when it changes, only pending requests change with it.
CREATE VIEW prediction_queue AS
SELECT q.trip_id,
       to_char(q.received_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS requested_at,
       q.passenger_count, q.is_weekend, q.l1_distance,
       coalesce(h.speed_sum / h.trips::float8, 0::float8) AS avg_speed_by_hour,
       q.hour_cos, q.hour_sin
FROM pending_requests q
LEFT JOIN hourly_speed h ON h.hour = q.hour;
