-- Where the events come from: the task's three topics on Kafka. oxbow-views fills in what stands in
-- ${...} (docs/materialize.md lists it) and makes the topics before this runs.
--
-- The newest message of a key counts (UPSERT), so a producer that sends twice does no harm, and an
-- undecodable value becomes a row with "error" in place of one that makes every read fail (INLINE).

CREATE CONNECTION bus TO KAFKA (
    BROKERS (${brokers}),
    SECURITY PROTOCOL = 'PLAINTEXT'
);

CREATE SOURCE pick_ups_src FROM KAFKA CONNECTION bus (TOPIC '${topic_requests}')
    KEY FORMAT TEXT VALUE FORMAT JSON
    INCLUDE KEY AS msg_key, TIMESTAMP AS ts
    ENVELOPE UPSERT (VALUE DECODING ERRORS = INLINE);

CREATE SOURCE drop_offs_src FROM KAFKA CONNECTION bus (TOPIC '${topic_outcomes}')
    KEY FORMAT TEXT VALUE FORMAT JSON
    INCLUDE KEY AS msg_key, TIMESTAMP AS ts
    ENVELOPE UPSERT (VALUE DECODING ERRORS = INLINE);

CREATE SOURCE predictions_src FROM KAFKA CONNECTION bus (TOPIC '${topic_predictions}')
    KEY FORMAT TEXT VALUE FORMAT JSON
    INCLUDE KEY AS msg_key, TIMESTAMP AS ts
    ENVELOPE UPSERT (VALUE DECODING ERRORS = INLINE);
