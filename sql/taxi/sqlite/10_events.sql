-- The three topics as relations. Fields that are missing or of another type are NULL;
-- the engine's tables and functions are described in docs/tasks.md.

CREATE VIEW pick_ups AS
SELECT n,
       key                                    AS trip_id,
       time_ms                                AS received_ms,
       time_at(value, 'pickup_datetime')      AS pick_up_ms,
       number_at(value, 'passenger_count')    AS passenger_count,
       number_at(value, 'pickup_longitude')   AS pick_up_longitude,
       number_at(value, 'pickup_latitude')    AS pick_up_latitude,
       number_at(value, 'dropoff_longitude')  AS drop_off_longitude,
       number_at(value, 'dropoff_latitude')   AS drop_off_latitude
FROM requests;

CREATE VIEW drop_offs AS
SELECT r.key AS trip_id, o.time_ms AS received_ms,
       time_at(o.value, 'drop_off_datetime') AS drop_off_ms
FROM outcomes o JOIN requests r ON r.n = o.n
UNION ALL
SELECT key, time_ms, time_at(value, 'drop_off_datetime')
FROM early_outcomes;

-- One row a model: the stored message unfolded.
CREATE VIEW predictions AS
SELECT r.key AS trip_id, m.key AS model, p.time_ms AS received_ms,
       number_at(m.value, 'value')  AS prediction,
       text_at(m.value, 'version')  AS version
FROM stored_predictions p
JOIN requests r ON r.n = p.n
JOIN json_each(p.predictions) m;

-- Trips whose pick-up and drop-off are both known; duration in seconds.
CREATE VIEW completed_trips AS
SELECT u.n, u.trip_id, o.time_ms AS completed_ms, u.pick_up_ms,
       (time_at(o.value, 'drop_off_datetime') - u.pick_up_ms) / 1000.0 AS duration,
       abs(u.pick_up_longitude - u.drop_off_longitude)
         + abs(u.pick_up_latitude - u.drop_off_latitude) AS l1_distance
FROM pick_ups u JOIN outcomes o ON o.n = u.n;
