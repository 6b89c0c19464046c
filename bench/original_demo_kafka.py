#!/usr/bin/env python3
"""The original demo's inference loop: River models, and a Kafka client from PyPI.

    bench/original_demo_kafka.py BROKERS --seconds S [--client confluent|kafka-python]

Reads topic `features` from the oldest message, asks three models (linear regression behind a
scaler, a Hoeffding tree behind a scaler, the mean), and publishes a message a model to
`original-predictions`, as the original does. Prints one JSON line: requests a second. The models
are trained first on --train rows, so that the tree has grown. Needs river, and kafka-python (the
original's client) or confluent-kafka (librdkafka too, the fastest there is for Python).
"""

import argparse
import json
import random
import time

from river import dummy, linear_model, preprocessing, stats, tree


def make_models(rows):
    """The three models, having learned `rows` rows like those of the bench."""
    models = {
        "linear-regression": preprocessing.StandardScaler() | linear_model.LinearRegression(),
        "decision-tree": preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor(max_depth=20),
        "baseline": dummy.StatisticRegressor(stats.Mean()),
    }
    rng = random.Random(1)
    for _ in range(rows):
        x = {"passenger_count": rng.randint(1, 6), "is_weekend": rng.randint(0, 1),
             "l1_distance": rng.random() / 10, "avg_speed_by_hour": rng.random() * 1e-5,
             "hour_cos": rng.random(), "hour_sin": rng.random()}
        y = 300 + 8000 * x["l1_distance"] + 60 * rng.random()
        for model in models.values():
            model.learn_one(x, y)
    return models


def predict(models, value):
    """Key and value of a message a model."""
    row = json.loads(value)
    features = row["features"]
    for name, model in models.items():
        yield (f"{row['trip_id']}#{name}".encode(),
               json.dumps({"features": features,
                           "prediction": model.predict_one(features)}).encode("utf-8"))


def run_confluent(options, models):
    """With confluent-kafka, which is librdkafka too."""
    from confluent_kafka import Consumer, Producer

    consumer = Consumer({"bootstrap.servers": options.brokers, "group.id": f"original-{time.time()}",
                         "auto.offset.reset": "earliest", "enable.auto.commit": True})
    producer = Producer({"bootstrap.servers": options.brokers})
    consumer.subscribe(["features"])
    n, start = 0, None
    while start is None or time.monotonic() - start < options.seconds:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        start = start or time.monotonic()
        for key, value in predict(models, message.value()):
            while True:
                try:
                    producer.produce("original-predictions", key=key, value=value)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
        n += 1
    producer.flush(30)
    seconds = time.monotonic() - start
    consumer.close()
    return n, seconds


def run_kafka_python(options, models):
    """With kafka-python, as in the original."""
    from kafka import KafkaConsumer, KafkaProducer

    consumer = KafkaConsumer("features", bootstrap_servers=options.brokers,
                             group_id=f"original-{time.time()}", auto_offset_reset="earliest")
    producer = KafkaProducer(bootstrap_servers=options.brokers)
    n, start = 0, None
    for message in consumer:
        start = start or time.monotonic()
        for key, value in predict(models, message.value):
            producer.send("original-predictions", key=key, value=value)
        n += 1
        if time.monotonic() - start >= options.seconds:
            break
    producer.flush(30)
    seconds = time.monotonic() - start
    consumer.close()
    return n, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("brokers")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--train", type=int, default=20000)
    parser.add_argument("--client", choices=("confluent", "kafka-python"), default="kafka-python")
    options = parser.parse_args()
    models = make_models(options.train)
    run = run_confluent if options.client == "confluent" else run_kafka_python
    n, seconds = run(options, models)
    print(json.dumps({"client": options.client, "requests": n, "seconds": round(seconds, 2),
                      "requests_a_second": round(n / seconds)}))


if __name__ == "__main__":
    main()
