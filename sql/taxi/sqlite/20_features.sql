-- Average speed of completed trips by the hour of their pick-up, in degrees (L1) a second. Only trips
-- within label_range count: one that ends after a second would be hundreds of times as fast as the rest.
-- SQLite does not maintain a join by itself: a trigger adds each trip as it completes.
CREATE TABLE IF NOT EXISTS hourly_speed(
    hour      INTEGER PRIMARY KEY,
    trips     INTEGER NOT NULL,
    speed_sum REAL NOT NULL);

CREATE TRIGGER hourly_speed_add AFTER INSERT ON outcomes
BEGIN
    INSERT INTO hourly_speed(hour, trips, speed_sum)
    SELECT pick_up_ms / 3600000 % 24, 1, l1_distance / duration
    FROM completed_trips
    WHERE n = NEW.n AND duration BETWEEN 30 AND 10800 AND l1_distance IS NOT NULL
    ON CONFLICT(hour) DO UPDATE
    SET trips = trips + 1, speed_sum = speed_sum + excluded.speed_sum;
END;

-- One row a request that can be predicted: without its own time there is no hour, and no label later.
-- Day 0 of Unix time was a Thursday: 2 and 3 after it are the weekend.
CREATE VIEW features AS
SELECT u.trip_id,
       u.passenger_count,
       (u.pick_up_ms / 86400000) % 7 IN (2, 3)            AS is_weekend,
       abs(u.pick_up_longitude - u.drop_off_longitude)
         + abs(u.pick_up_latitude - u.drop_off_latitude)   AS l1_distance,
       coalesce(h.speed_sum / h.trips, 0.0)                AS avg_speed_by_hour,
       cos(6.283185307179586 * (u.pick_up_ms / 3600000 % 24) / 24.0) AS hour_cos,
       sin(6.283185307179586 * (u.pick_up_ms / 3600000 % 24) / 24.0) AS hour_sin
FROM pick_ups u
LEFT JOIN hourly_speed h ON h.hour = u.pick_up_ms / 3600000 % 24
WHERE u.pick_up_ms IS NOT NULL;
