-- The join keys, held in memory once for all that joins by them; and sums and counts, of which there
-- are few. Not learning_queue; and nothing that keeps the newest of something (model_perf_window,
-- lag_by_stage), which would hold all that might still be among them.
CREATE INDEX pick_ups_by_trip ON pick_ups (trip_id);
CREATE INDEX drop_offs_by_trip ON drop_offs (trip_id);
CREATE INDEX stored_predictions_by_trip ON stored_predictions (trip_id);
CREATE INDEX hourly_speed_by_hour ON hourly_speed (hour);
CREATE INDEX model_perf_by_model ON model_perf (model);
CREATE INDEX model_perf_by_hour_by_model ON model_perf_by_hour (model);
CREATE INDEX model_perf_by_feature_by_model ON model_perf_by_feature (model);
CREATE INDEX trip_counts_all ON trip_counts (trips_started);
