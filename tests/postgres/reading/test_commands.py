"""Commands say of a store what they say of the experiment its runs came from."""

from __future__ import annotations

import json

import pytest

from tests.postgres.reading.conftest import OTHER, TEST
from tests.postgres.server import PASSWORD
from tracking import cli

LAST = 11

COMMANDS = [
    ["runs"],
    ["runs", "--json"],
    ["runs", "--limit=3"],
    ["runs", "--limit=3", "--json", "--columns", "loss", "acc.min"],
    ["runs", "--limit=0", "--columns", "loss.tail", "odd"],
    ["runs", "--status=failed"],
    ["runs", "--outcome=passed", "--verdict=identical", "--verdict=within"],
    ["runs", "--name=test_y[adam"],
    ["runs", "--name=*TestÜ*"],
    ["runs", "--session=last"],
    ["runs", "--session=aaaa"],
    ["runs", "--session=abc"],
    ["runs", "--session=abc*"],
    ["runs", "--where=loss.min < 1", "--where=acc > 0"],
    ["runs", "--where=odd == nan"],
    ["runs", "--where=odd == -inf"],
    *(["runs", f"--sort={sort}"] for sort in ("id", "-id", "name", "-duration", "-loss", "odd")),
    ["runs", "--sort=los"],
    ["runs", "--name=none"],
    *(["show", str(number)] for number in range(1, LAST + 2)),
    ["show", "1", "--json", "--texts"],
    ["show", "test_y"],
    ["show", "last"],
    ["show", "last-failed"],
    ["show", "abcdef"],
    ["show", "test_"],
    ["show", "nosuch"],
    ["show", TEST, "--json"],
    ["diff", "1", "2"],
    ["diff", "1", "3", "--all"],
    ["diff", "1", LAST, "--json"],
    ["diff", "4", "5"],
    ["history", TEST],
    ["history", "test_x", "loss.min", "--json"],
    ["history", OTHER, "--limit=1"],
    ["history", "test_x", "--limit=1"],
    ["history", "test_x", "--limit=0", "--root=elsewhere"],
    ["history", "fold"],
    ["history", "nothing recorded"],
    ["history", "test_x", "los"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(map(str, command)))
def test_a_command_says_the_same_of_a_store(world, sgtrack, command):
    code, out, err = sgtrack(*command)
    in_store = f"pytest in postgresql://owner@127.0.0.1:{world.url.rpartition(':')[2]}"
    expected = out.replace("experiments/pytest.db", in_store)
    assert sgtrack(*command, "--store", world.url) == (code, expected, err)
    assert out or err


def test_the_number_of_a_run_leads_to_it(world, sgtrack):
    listed = json.loads(sgtrack("runs", "--json", "--store", world.url)[1])["runs"]
    assert [run["run_id"] for run in listed] == list(range(LAST, 0, -1))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--experiment=tests"], "holds no experiment tests; there are pytest"),
        (["--store=mysql://host/db"], "store: expected a URL as postgresql://user@host/database"),
        (["--store", "last"], "--store is followed by something that is no URL"),
        (["--store"], "--store without a URL means the one that SGTRACK_STORE names"),
    ],
)
def test_what_is_no_store_is_refused(world, sgtrack, monkeypatch, arguments, problem):
    monkeypatch.delenv("SGTRACK_STORE", raising=False)
    code, out, err = sgtrack("runs", "--store", world.url, *arguments)
    assert (code, out) == (cli.TROUBLE, "")
    assert problem in err
    assert PASSWORD not in err


def test_a_store_without_a_url_is_the_one_of_the_environment(world, sgtrack, monkeypatch):
    expected = sgtrack("show", "1", "--store", world.url)
    monkeypatch.setenv("SGTRACK_STORE", world.url)
    assert sgtrack("show", "1", "--store") == expected
    monkeypatch.setenv("SGTRACK_STORE", "postgresql://nobody@127.0.0.1:1/none")
    assert sgtrack("show", "1")[0] == cli.OK  # which is here
    code, _, err = sgtrack("show", "1", "--store")
    assert code == cli.TROUBLE
    assert "postgresql://nobody@127.0.0.1:1/none cannot be reached" in err


def test_a_database_without_a_store_is_told_from_one_that_has_none(server, sgtrack):
    url = server.database()
    code, _, err = sgtrack("runs", "--store", url)
    assert code == cli.TROUBLE
    assert "holds no store yet" in err
    assert PASSWORD not in err
    assert (
        server.sql("SELECT FROM pg_namespace WHERE nspname = 'sgtrack'", url.rpartition("/")[2])
        == []
    )
