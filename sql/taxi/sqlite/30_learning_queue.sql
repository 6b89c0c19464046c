-- Log and wait: the features are those logged with the prediction; the label comes with the drop-off.
-- features and predictions are passed on as the bytes that were received. A drop-off that is not
-- after its pick-up gives no label. Columns perf_... do not go out: by them the engine adds up the
-- errors of the predictions, in table score_sums (40_performance.sql).
CREATE VIEW learning_queue AS
SELECT r.key AS trip_id,
       nullif(max(time_at(o.value, 'drop_off_datetime') - time_at(r.value, 'pickup_datetime'), 0), 0)
         / 1000.0 AS duration,
       p.features,
       p.predictions,
       p.requested_at,
       p.predicted_at,
       time_text(o.time_ms) AS outcome_at,
       p.time_ms AS perf_predicted_ms,
       o.time_ms AS perf_completed_ms,
       time_at(r.value, 'pickup_datetime') / 3600000 % 24 AS perf_hour,
       time_at(r.value, 'pickup_datetime') / 86400000 % 7 IN (2, 3) AS perf_is_weekend
FROM requests r
JOIN outcomes o           ON o.n = r.n
JOIN stored_predictions p ON p.n = r.n;
