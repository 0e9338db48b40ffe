"""Write `tests/assets/mlflow_store.db` with MLflow itself.

Made with mlflow-skinny 3.17.2 and sqlalchemy 2.1.9, in an environment of their own, by

    python tests/importers/make_mlflow_store.py tests/assets/mlflow_store.db

Tests read the file and need no MLflow; what they expect of it is what is logged here.
"""

import math
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

START_MS = 1_760_000_000_000
LOSSES = [(0, 1.0), (1, math.nan), (2, math.inf), (3, -math.inf), (-1, 0.5), (1, 0.25), (1, -1e300)]
PARAMS = {"lr": 0.1, "epochs": 3, "amsgrad": True, "eps": 1e-08, "optimizer": "adam", "clip": None}


def log_runs(client):
    mnist = client.create_experiment("mnist", artifact_location="mlflow-artifacts:/")
    cifar = client.create_experiment("/Users/me/cifar", artifact_location="mlflow-artifacts:/")
    gone = client.create_experiment("gone", artifact_location="mlflow-artifacts:/")

    def run(experiment, name, start_s, status=None, **tags):
        tags = {key.replace("__", "."): value for key, value in tags.items()}
        info = client.create_run(
            experiment, start_time=START_MS + 1000 * start_s, tags=tags, run_name=name
        ).info
        if status is not None:
            client.set_terminated(info.run_id, status, end_time=info.start_time + 2500)
        return info.run_id

    first = run(
        mnist, "first", 0, mlflow__user="me", mlflow__source__git__commit="abc123", team="x"
    )
    for key, value in PARAMS.items():
        client.log_param(first, key, value)
    for place, (step, value) in enumerate(LOSSES):
        client.log_metric(first, "loss", value, START_MS + 1500 * place, step)
    client.log_metric(first, "val/accuracy", 0.75, START_MS + 250, 2)
    client.set_terminated(first, "FINISHED", end_time=START_MS + 2500)
    child = run(mnist, "child", 1, "FAILED", mlflow__parentRunId=first)
    client.log_metric(child, "loss", 3.0, START_MS, 0)
    run(cifar, "stopped", 2, "KILLED")
    run(cifar, "going on", 3)
    client.delete_run(run(mnist, "deleted", 4, "FINISHED"))
    run(gone, "of a deleted experiment", 5, "FINISHED")
    client.delete_experiment(gone)


def main(path):
    from mlflow.tracking import MlflowClient

    path.unlink(missing_ok=True)
    log_runs(MlflowClient(f"sqlite:///{path.resolve()}"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 512")  # an eighth of the usual, to keep it small
        connection.execute("VACUUM")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
