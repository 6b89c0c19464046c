-- The three topics as relations, with the names and columns that they have on SQLite; received_at
-- is the bus's time once more, as the timestamp that windows need. Fields that are missing or of
-- another type are NULL, and numbers beyond 1e15, whose squares could overflow: one cast or sum
-- that fails would make every read of a view fail until that message is replaced. Casts are
-- guarded by CASE, never by AND, whose order is not promised.

CREATE VIEW pick_ups AS
SELECT msg_key AS trip_id,
       (extract(epoch FROM ts) * 1000)::bigint AS received_ms,
       (extract(epoch FROM try_parse_monotonic_iso8601_timestamp(data ->> 'pickup_datetime'))
         * 1000)::bigint AS pick_up_ms,
       CASE jsonb_typeof(data -> 'passenger_count')
           WHEN 'number'
           THEN CASE WHEN abs((data ->> 'passenger_count')::numeric) <= 1000000000000000
                     THEN (data ->> 'passenger_count')::float8 END
           WHEN 'boolean'
           THEN CASE data ->> 'passenger_count' WHEN 'true' THEN 1::float8 ELSE 0::float8 END
       END AS passenger_count,
       CASE jsonb_typeof(data -> 'pickup_longitude')
           WHEN 'number'
           THEN CASE WHEN abs((data ->> 'pickup_longitude')::numeric) <= 1000000000000000
                     THEN (data ->> 'pickup_longitude')::float8 END
           WHEN 'boolean'
           THEN CASE data ->> 'pickup_longitude' WHEN 'true' THEN 1::float8 ELSE 0::float8 END
       END AS pick_up_longitude,
       CASE jsonb_typeof(data -> 'pickup_latitude')
           WHEN 'number'
           THEN CASE WHEN abs((data ->> 'pickup_latitude')::numeric) <= 1000000000000000
                     THEN (data ->> 'pickup_latitude')::float8 END
           WHEN 'boolean'
           THEN CASE data ->> 'pickup_latitude' WHEN 'true' THEN 1::float8 ELSE 0::float8 END
       END AS pick_up_latitude,
       CASE jsonb_typeof(data -> 'dropoff_longitude')
           WHEN 'number'
           THEN CASE WHEN abs((data ->> 'dropoff_longitude')::numeric) <= 1000000000000000
                     THEN (data ->> 'dropoff_longitude')::float8 END
           WHEN 'boolean'
           THEN CASE data ->> 'dropoff_longitude' WHEN 'true' THEN 1::float8 ELSE 0::float8 END
       END AS drop_off_longitude,
       CASE jsonb_typeof(data -> 'dropoff_latitude')
           WHEN 'number'
           THEN CASE WHEN abs((data ->> 'dropoff_latitude')::numeric) <= 1000000000000000
                     THEN (data ->> 'dropoff_latitude')::float8 END
           WHEN 'boolean'
           THEN CASE data ->> 'dropoff_latitude' WHEN 'true' THEN 1::float8 ELSE 0::float8 END
       END AS drop_off_latitude,
       ts AS received_at
FROM pick_ups_src
WHERE error IS NULL AND jsonb_typeof(data) = 'object';

CREATE VIEW drop_offs AS
SELECT msg_key AS trip_id,
       (extract(epoch FROM ts) * 1000)::bigint AS received_ms,
       (extract(epoch FROM try_parse_monotonic_iso8601_timestamp(data ->> 'drop_off_datetime'))
         * 1000)::bigint AS drop_off_ms,
       ts AS received_at
FROM drop_offs_src
WHERE error IS NULL AND jsonb_typeof(data) = 'object';

-- The prediction message of each request that view features has a row for.
CREATE VIEW stored_predictions AS
SELECT p.msg_key AS trip_id,
       (extract(epoch FROM p.ts) * 1000)::bigint AS received_ms,
       p.data -> 'features'    AS features,
       p.data -> 'predictions' AS predictions,
       CASE jsonb_typeof(p.data -> 'requested_at') WHEN 'string'
            THEN p.data ->> 'requested_at' END AS requested_at,
       CASE jsonb_typeof(p.data -> 'predicted_at') WHEN 'string'
            THEN p.data ->> 'predicted_at' END AS predicted_at,
       p.ts AS received_at
FROM predictions_src p
JOIN pick_ups u ON u.trip_id = p.msg_key
WHERE p.error IS NULL
  AND jsonb_typeof(p.data -> 'features') = 'object'
  AND jsonb_typeof(p.data -> 'predictions') = 'object'
  AND u.pick_up_ms IS NOT NULL;

-- One row a model: the stored message unfolded.
CREATE VIEW predictions AS
SELECT p.trip_id, m.model, p.received_ms,
       CASE jsonb_typeof(m.answer -> 'value')
           WHEN 'number'
           THEN CASE WHEN abs((m.answer ->> 'value')::numeric) <= 1000000000000000
                     THEN (m.answer ->> 'value')::float8 END
           WHEN 'boolean'
           THEN CASE m.answer ->> 'value' WHEN 'true' THEN 1::float8 ELSE 0::float8 END
       END AS prediction,
       CASE jsonb_typeof(m.answer -> 'version') WHEN 'string'
            THEN m.answer ->> 'version' END AS version
FROM stored_predictions p,
     jsonb_each(p.predictions) AS m (model, answer);

-- Trips whose pick-up and drop-off are both known; duration in seconds.
CREATE VIEW completed_trips AS
SELECT u.trip_id, d.received_ms AS completed_ms, u.pick_up_ms,
       (d.drop_off_ms - u.pick_up_ms)::float8 / 1000::float8 AS duration,
       abs(u.pick_up_longitude - u.drop_off_longitude)
         + abs(u.pick_up_latitude - u.drop_off_latitude) AS l1_distance,
       d.received_at AS completed_at
FROM pick_ups u JOIN drop_offs d ON d.trip_id = u.trip_id;
