#!/usr/bin/env python3
"""Records what River predicts with softmax regression, for tests/unit/learn/test_softmax.c to replay.

    python tests/golden/record_softmax.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes softmax.json and softmax.bin.gz beside itself, as record_families.py does: of two labels.
"""

from river import linear_model, optim
from river.optim import losses

from record_families import OPTIMIZERS, SCALER, record_all, scaled

SOFTMAX = "softmax_regression"


def traces():
    for name, (described, make) in OPTIMIZERS.items():
        yield (name, [SCALER, {SOFTMAX: {"optimizer": described}}],
               scaled(linear_model.SoftmaxRegression(optimizer=make())), False)
    yield ("nesterov_momentum", [SCALER, {SOFTMAX: {"optimizer": {"nesterov_momentum": {"lr": 0.01, "rho": 0.8}}}}],
           scaled(linear_model.SoftmaxRegression(optimizer=optim.NesterovMomentum(0.01, 0.8))), False)
    yield "unscaled", [SOFTMAX], linear_model.SoftmaxRegression(), False
    yield ("l2", [SCALER, {SOFTMAX: {"l2": 0.05, "optimizer": {"sgd": {"lr": 0.1}}}}],
           scaled(linear_model.SoftmaxRegression(optimizer=optim.SGD(0.1), l2=0.05)), False)
    yield ("l2 adam", [SCALER, {SOFTMAX: {"l2": 0.01, "optimizer": "adam"}}],
           scaled(linear_model.SoftmaxRegression(optimizer=optim.Adam(), l2=0.01)), False)
    weights = losses.CrossEntropy(class_weight={True: 3.0, False: 0.5})
    yield ("weights", [SCALER, {SOFTMAX: {"loss": {"cross_entropy": {"weight_pos": 3, "weight_neg": 0.5}}}}],
           scaled(linear_model.SoftmaxRegression(loss=weights)), False)


if __name__ == "__main__":
    record_all({"softmax": traces}, "softmax")
