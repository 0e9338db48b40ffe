"""MLflow (the skinny package) with its SQL store in PostgreSQL.

    python -m benchmarks.peers.mlflow_in_postgres N URL

Times N records in batches as large as it takes, and prints seconds and how many are there as JSON.
"""

from __future__ import annotations

import json
import sys
import time

_A_BATCH = 1_000  # the most that one call takes
_N_METRICS = 5


def main(n: int, url: str) -> None:
    """Log records into one run."""
    from mlflow import MlflowClient  # type: ignore[import-not-found,unused-ignore]
    from mlflow.entities import Metric  # type: ignore[import-not-found,unused-ignore]

    client = MlflowClient(tracking_uri=url.replace("postgresql://", "postgresql+psycopg://"))
    run_id = client.create_run(client.create_experiment("benchmark")).info.run_id
    start = time.perf_counter()
    for first in range(0, n, _A_BATCH):
        batch = [
            Metric(f"metric_{at % _N_METRICS}", 1 / (1 + at), time.time_ns() // 10**6, at // 5)
            for at in range(first, min(first + _A_BATCH, n))
        ]
        client.log_batch(run_id, batch, synchronous=True)
    client.set_terminated(run_id)
    cost_s = time.perf_counter() - start
    histories = [client.get_metric_history(run_id, f"metric_{at}") for at in range(_N_METRICS)]
    print()  # whatever it has printed ends here
    print(json.dumps({"s": cost_s, "n": sum(map(len, histories))}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
