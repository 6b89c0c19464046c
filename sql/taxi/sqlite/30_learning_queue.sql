-- Log and wait: the features are those logged with the prediction; the label comes with the drop-off.
-- features and predictions are passed on as the bytes that were received. A drop-off that is not
-- after its pick-up gives no label.
CREATE VIEW learning_queue AS
SELECT r.key AS trip_id,
       CASE WHEN time_at(o.value, 'drop_off_datetime') > time_at(r.value, 'pickup_datetime')
            THEN (time_at(o.value, 'drop_off_datetime') - time_at(r.value, 'pickup_datetime'))
                 / 1000.0 END AS duration,
       p.features,
       p.predictions,
       p.requested_at,
       p.predicted_at,
       time_text(o.time_ms) AS outcome_at
FROM requests r
JOIN outcomes o           ON o.n = r.n
JOIN stored_predictions p ON p.n = r.n;
