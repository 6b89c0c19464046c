#!/usr/bin/env python3
"""Records what River predicts with preprocessors, baselines and parameters that record_families.py does not have.

    python tests/golden/record_parameters.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes parameters.json and parameters.bin.gz beside itself, as record_families.py does.
"""

from river import neighbors

from record_families import SCALER, record_all, scaled


def neighbour_traces():
    def knn(window=1000, **kwargs):
        return neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size=window), **kwargs)

    yield "knn softmax", [SCALER, {"knn_classifier": {"softmax": True}}], scaled(knn(softmax=True)), False
    # So short a window has, now and then, no row of one of the labels.
    yield ("knn softmax short", [SCALER, {"knn_classifier": {
        "softmax": True, "weighted": False, "n_neighbors": 3, "window_size": 4}}],
           scaled(knn(4, softmax=True, weighted=False, n_neighbors=3)), False)


FAMILIES = {"neighbours": neighbour_traces}

if __name__ == "__main__":
    record_all(FAMILIES, "parameters")
