-- The join keys, held in memory once for all that joins by them. Not learning_queue.
CREATE INDEX pick_ups_by_trip ON pick_ups (trip_id);
CREATE INDEX drop_offs_by_trip ON drop_offs (trip_id);
CREATE INDEX stored_predictions_by_trip ON stored_predictions (trip_id);
CREATE INDEX hourly_speed_by_hour ON hourly_speed (hour);
CREATE INDEX model_perf_by_model ON model_perf (model);
CREATE INDEX model_perf_window_by_model ON model_perf_window (model);
CREATE INDEX ops_perf_all ON ops_perf (trips_started);
