"""Stores of every version that was ever written are read, and written further."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.postgres.make_store_sample import record
from tracking.postgres.address import Address
from tracking.postgres.experiments import StoredExperiments
from tracking.postgres.schema import SCHEMA_VERSION
from tracking.pushing import push

SAMPLES = sorted((Path(__file__).parent.parent / "assets").glob("store_v*.sql"))


def test_there_is_a_sample_of_each_version():
    versions = [f"store_v{version}" for version in range(1, SCHEMA_VERSION + 1)]
    assert [path.stem for path in SAMPLES] == versions


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_store_of_any_version_is_read_and_takes_more(sample, store, tmp_path):
    with psycopg.connect(store) as connection:
        connection.execute(sample.read_text(encoding="utf-8"))
    record(tmp_path)
    found = push([tmp_path / "sample.db"], store)  # brings it to the present version
    assert found.n_pushed == 2
    with (
        closing(StoredExperiments(Address(store))) as experiments,
        closing(experiments.opened("sample")) as db,
    ):
        runs = db.find_runs()
        assert [run.name for run in runs[::-1]] == [
            *("test_fit.py::test_fit[sgd]", "test_fit.py::test_fit[adam]"),
        ] * 2
        new, old = (run for run in runs if run.name.endswith("[sgd]"))
        assert (old.config, old.metrics, old.num_records) == (
            {"lr": 0.1},
            ["loss", "norm"],
            [400, 4],
        )
        for run in (old, new):
            losses = db.get_records(run.run_id, "loss")
            assert [one.value for one in losses] == [1 / (step + 1) for step in range(400)]
            norms = [one.value for one in db.get_records(run.run_id, "norm")]
            assert math.isnan(norms[1])
            assert [norms[0], *norms[2:]] == [0.5, math.inf, -math.inf]
            ((text,),) = db.get_texts(run.run_id).values()
            assert text["content"] == "the cat\0sat"
        for read in (db.read_summaries, db.get_comp_graphs, db.get_histograms, db.get_images):
            assert len(read(old.run_id)) == len(read(new.run_id)) > 0
