"""MLflow (the skinny package), into a folder of files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.peers.common import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.common import Record


def _client(folder: Path) -> Any:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    from mlflow import MlflowClient  # type: ignore[import-not-found,unused-ignore]

    return MlflowClient(tracking_uri=folder.absolute().as_uri())


@contextmanager
def _recording(folder: Path) -> Iterator[Record]:
    client = _client(folder)
    run_id = client.create_run(client.create_experiment("benchmark")).info.run_id
    yield lambda value, step: client.log_metric(run_id, "loss", value, step=step)
    client.set_terminated(run_id)


def _count(folder: Path) -> int:
    client = _client(folder)
    experiment = client.get_experiment_by_name("benchmark")
    runs = client.search_runs([experiment.experiment_id])
    return sum(len(client.get_metric_history(each.info.run_id, "loss")) for each in runs)


if __name__ == "__main__":
    run(_recording, _count)
