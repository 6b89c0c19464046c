-- The terms of the audit's equations (docs/guarantees.md) that this engine can count, in one row.
-- A term that is no column here is hidden by the engine: repeated messages of a key merge before
-- SQL sees them, so nobody can say how many were read.

CREATE VIEW request_fates AS
SELECT u.trip_id, u.received_at, u.pick_up_ms, p.received_at AS predicted_at
FROM pick_ups u LEFT JOIN stored_predictions p ON p.trip_id = u.trip_id;

-- complete_at: when the last of the three parts came.
CREATE VIEW outcome_fates AS
SELECT d.trip_id, d.received_at, u.trip_id IS NOT NULL AS has_request,
       u.trip_id IS NOT NULL AND u.pick_up_ms IS NULL AS is_refused,
       CASE WHEN p.trip_id IS NOT NULL
            THEN greatest(d.received_at, u.received_at, p.received_at) END AS complete_at
FROM drop_offs d
LEFT JOIN pick_ups u           ON u.trip_id = d.trip_id
LEFT JOIN stored_predictions p ON p.trip_id = d.trip_id;

CREATE VIEW ledger AS
SELECT (SELECT count(*) FROM request_fates) AS requests_new,
       (SELECT count(*) FROM request_fates WHERE pick_up_ms IS NULL) AS requests_refused,
       (SELECT count(*) FROM request_fates WHERE predicted_at IS NOT NULL) AS requests_predicted,
       (SELECT count(*) FROM request_fates
         WHERE pick_up_ms IS NOT NULL AND predicted_at IS NULL
           AND mz_now() <= received_at + INTERVAL '${window_seconds} seconds') AS requests_pending,
       (SELECT count(*) FROM request_fates
         WHERE pick_up_ms IS NOT NULL AND predicted_at IS NULL
           AND mz_now() > received_at + INTERVAL '${window_seconds} seconds') AS requests_expired,
       (SELECT count(*) FROM stored_predictions) AS predictions_first,
       (SELECT count(*) FROM predictions_src p
         WHERE p.error IS NULL AND jsonb_typeof(p.data -> 'features') = 'object'
           AND jsonb_typeof(p.data -> 'predictions') = 'object'
           AND NOT EXISTS (SELECT 1 FROM stored_predictions s WHERE s.trip_id = p.msg_key))
           AS predictions_orphan,
       (SELECT count(*) FROM outcome_fates) AS outcomes_new,
       (SELECT count(*) FROM outcome_fates WHERE is_refused) AS outcomes_refused,
       (SELECT count(*) FROM outcome_fates
         WHERE NOT is_refused AND complete_at IS NULL
           AND mz_now() <= received_at + INTERVAL '${window_seconds} seconds') AS outcomes_waiting,
       (SELECT count(*) FROM outcome_fates
         WHERE NOT is_refused AND complete_at IS NULL
           AND mz_now() > received_at + INTERVAL '${window_seconds} seconds')
       + (SELECT count(*) FROM outcome_fates
           WHERE complete_at > received_at + INTERVAL '${window_seconds} seconds')
           AS outcomes_expired;
