-- Log and wait: the features are those logged with the prediction; the label comes with the
-- drop-off. A drop-off that is not after its pick-up gives no label. Kept on disk with an hour of
-- history, so that oxbow-views goes on where it was. Never index it: an index has one second of
-- history, and where there is one it is read in place of the view.
CREATE MATERIALIZED VIEW learning_queue WITH (RETAIN HISTORY FOR '1hr') AS
SELECT u.trip_id,
       CASE WHEN d.drop_off_ms > u.pick_up_ms
            THEN (d.drop_off_ms - u.pick_up_ms)::float8 / 1000::float8 END AS duration,
       p.features,
       p.predictions,
       p.requested_at,
       p.predicted_at,
       to_char(d.received_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS outcome_at
FROM pick_ups u
JOIN drop_offs d          ON d.trip_id = u.trip_id
JOIN stored_predictions p ON p.trip_id = u.trip_id
WHERE mz_now() <= d.received_at + INTERVAL '${window_seconds} seconds';
