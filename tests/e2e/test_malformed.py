"""Malformed input on every topic that others write to: counted or a dead letter, no more."""

import json

from oxbow import World, check, main, wait_for

PICK_UP = {
    "vendor_id": 1, "pickup_datetime": "2016-01-04T07:30:00.000Z", "passenger_count": 2,
    "pickup_longitude": -73.98, "pickup_latitude": 40.75, "dropoff_longitude": -73.95,
    "dropoff_latitude": 40.78, "store_and_fwd_flag": "N",
}


def changed(**fields):
    return json.dumps(dict(PICK_UP, **fields))


UNREADABLE = [  # (key, value); None: the field is not there at all
    ("bad-1", "{oops"),
    ("bad-2", "[1, 2, 3]"),
    ("bad-3", '"text"'),
    ("bad-4", ""),
    ("bad-5", None),
    ("bad-6", '{"passenger_count": NaN}'),
    ("bad-7", b'{"name": "\xff\xfe"}'),
    ("bad-8", json.dumps({"padding": "x" * 10_000_000})),
    ("", json.dumps(PICK_UP)),
    (None, json.dumps(PICK_UP)),
    ("k" * 5000, json.dumps(PICK_UP)),
    (b"\xff\xfe", json.dumps(PICK_UP)),
    ("bad-9", "[" * 10_000),
]

ODD_PICK_UPS = {  # readable, but not what the task's SQL expects: each is one request more
    "odd-missing": json.dumps({"vendor_id": 1}),
    "odd-empty": "{}",
    "odd-types": changed(passenger_count="many", pickup_longitude=[], pickup_latitude={"a": 1}),
    "odd-null": changed(pickup_datetime=None, passenger_count=None),
    "odd-date": changed(pickup_datetime="yesterday"),
    "odd-huge": changed(passenger_count=10 ** 300).replace("-73.98", "-1e999"),
    "odd-far": changed(dropoff_longitude=1e308, pickup_longitude=-1e308),
    "odd-member": changed(**{"unheard of": {"deep": [1, [2, [3]]]}}),
}

ODD_DROP_OFFS = {  # of trips that are really there: each is one outcome more
    "trip-early": json.dumps({"drop_off_datetime": "2016-01-04T07:00:00.000Z"}),
    "trip-no-time": "{}",
    "trip-type": json.dumps({"drop_off_datetime": 17}),
    "trip-date": json.dumps({"drop_off_datetime": "31st of April"}),
    "trip-long": json.dumps({"drop_off_datetime": "9999-12-31T23:59:59.000Z"}),
}

ODD_PREDICTIONS = ['{"predictions": 5}', '{"features": [], "predictions": {}}', "{}",
                   '{"trip_id": 7, "features": {}, "predictions": {"decision-tree": "soon"}}']


def add(redis, stream, key, value):
    words = ["XADD", stream, "*"]
    if key is not None:
        words += ["key", key]
    if value is not None:
        words += ["value", value]
    if len(words) == 3:
        words += ["other", "field"]
    redis(*words)


def inject(redis, prefix):
    """Returns how many messages were added to (requests, outcomes, predictions)."""
    requests, outcomes, predictions = (prefix + t for t in ("pick-ups", "drop-offs", "predictions"))
    for stream in (requests, outcomes, predictions):
        for key, value in UNREADABLE:
            add(redis, stream, key, value)
    for key, value in ODD_PICK_UPS.items():
        add(redis, requests, key, value)
    for key in ODD_DROP_OFFS:
        add(redis, requests, key, json.dumps(PICK_UP))
    add(redis, requests, "trip-early", json.dumps(PICK_UP))  # a second time
    for key, value in ODD_DROP_OFFS.items():
        add(redis, outcomes, key, value)
    add(redis, outcomes, "unheard-of", '{"drop_off_datetime": "2016-01-04T08:00:00.000Z"}')
    # Its pick-up comes later: it waits for it.
    add(redis, outcomes, "late", '{"drop_off_datetime": "2016-01-04T07:45:00.000Z"}')
    add(redis, requests, "late", json.dumps(PICK_UP))
    for value in ODD_PREDICTIONS:
        add(redis, predictions, "t000000001", value)
    add(redis, predictions, "unheard-of", '{"trip_id": "unheard-of", "features": {}, '
        '"predictions": {}, "requested_at": null, "predicted_at": null}')
    n = len(UNREADABLE)
    return (n + len(ODD_PICK_UPS) + len(ODD_DROP_OFFS) + 2, n + len(ODD_DROP_OFFS) + 2,
            n + len(ODD_PREDICTIONS) + 1)


def test_malformed():
    """What cannot be used is counted and kept; what comes after is learned; it balances."""
    with World("malformed") as world:
        up = world.up(simulate=("--rate", "150", "--trips", "1500"))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 20, "rows to learn")
        redis = world.redis()
        prefix = world.prefix(redis)
        added = inject(redis, prefix)
        up.wait_line("simulator-1 has finished")

        def is_read():
            ledger = world.ledger()
            return (ledger.get("requests_read") == 1500 + added[0] and
                    ledger.get("outcomes_read") == 1500 + added[1] and
                    ledger.get("predictions_read", 0) >= 1500 + added[2])
        wait_for(is_read, f"1500 trips and {added} odd messages to be read")

        ledger = world.ledger()
        print("  ledger:", {k: v for k, v in ledger.items() if v})
        n = len(UNREADABLE)
        check(ledger["requests_dead"] == n, f"{n} unreadable pick-ups are dead: {ledger}")
        check(ledger["outcomes_dead"] == n, f"{n} unreadable drop-offs are dead: {ledger}")
        check(ledger["predictions_dead"] >= n, f"{n} unreadable predictions are dead: {ledger}")
        check(ledger["requests_duplicate"] == 1, f"one pick-up came twice: {ledger}")
        check(ledger["requests_new"] == 1500 + len(ODD_PICK_UPS) + len(ODD_DROP_OFFS) + 1,
              str(ledger))
        check(ledger["outcomes_bad_label"] >= len(ODD_DROP_OFFS), f"odd drop-offs: {ledger}")
        check(ledger["predictions_orphan"] == 1, f"a prediction for nothing: {ledger}")

        def late_is_learned():
            tail = world.run("tail", "learning-queue", "--from", "oldest", "--key", "late", "-n", 1,
                             timeout_s=60)
            return tail.stdout.startswith("late\t")
        wait_for(late_is_learned, "the drop-off that came before its pick-up")
        letters = redis("XRANGE", prefix + "dead-letters", "-", "+")
        check(len(letters) >= 3 * n, f"{len(letters)} dead letters")
        for _, fields in letters:
            pairs = dict(zip(fields[::2], fields[1::2]))
            letter = json.loads(pairs[b"value"])
            check(letter["reason"] and letter["topic"], str(letter)[:300])
            check(len(letter["value"] or "") <= 65536, "a letter's value is cut to 64 kB")

        wait_for(lambda: all(
            model["position"] == world.ledger()["outcomes_emitted"]
            for model in world.models().values()), "every model to have learned every row")
        audit = world.audit("--deep")
        check(audit["audit"] == "balanced", str(audit))
        check(audit["in_flight"]["waiting"] == 1, f"the drop-off of nobody waits: {audit}")
        check(not up.has_line("starting it again"), "no service died of it")
        check(up.stop() == 0, "it stops with status 0")


if __name__ == "__main__":
    main(test_malformed)
