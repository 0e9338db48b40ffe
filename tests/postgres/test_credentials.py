"""An address shows who and where; what opens it stands nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from urllib.parse import quote

import psycopg
import pytest

from tests.postgres.line import Line
from tests.postgres.server import PASSWORD
from tracking import TrackingError
from tracking.errors import InvalidArgumentError, StoreError
from tracking.postgres.address import Address
from tracking.pushing import push

SECRETS = (PASSWORD, quote(PASSWORD), "horse")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgres://me@host:5433/db", "postgresql://me@host:5433/db"),
        ("postgresql://me:horse@host/db", "postgresql://me@host/db"),
        ("postgresql://me:h%40rse@host/db", "postgresql://me@host/db"),
        ("postgresql://me:a?horse@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=horse", "postgresql://me@host/db"),
        ("postgresql://me@host/db?sslmode=require&sslpassword=horse", "postgresql://me@host/db"),
        ("postgresql://me@a:1,b:2/db", "postgresql://me@a,b:1,2/db"),
        ("postgresql://me@[::1]:5432/db", "postgresql://me@::1:5432/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///run/postgresql/db"),
        ("postgresql://", "postgresql:///"),
    ],
)
def test_an_address_shows_no_more_than_user_and_place(url, shown):
    address = Address(url)
    assert (str(address), repr(address)) == (shown, f"Address({shown!r})")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "horse",
        "experiments/horse.db",
        "me:horse@host://db",
        "sqlite:///horse.db",
        "postgresql:/me:horse@host/db",
        "postgresql+psycopg://me:horse@host/db",
        "postgresql://me:100%horse@host/db",
        "postgresql://me:a@horse@host/db",
        "postgresql://me:a/horse@host/db",
        "postgresql://me:horse/db",
        "postgresql://me@host:horse/db",
        "postgresql://me@host/db?pasword=horse",
        "postgresql://me@host/db?password=a@horse",
        "host=x password=horse",
    ],
)
def test_what_is_no_address_is_refused_and_not_quoted(url):
    with pytest.raises(InvalidArgumentError) as caught:
        Address(url)
    said = "".join(traceback.format_exception(caught.value))
    assert "horse" not in said.replace(repr(url), "")  # pytest's own parameters apart


@pytest.mark.parametrize("n_bytes", [1, 300, 2_000, 20_000, None])
def test_no_message_of_a_push_has_the_password(store, tmp_path, record, n_bytes):
    path = record(tmp_path, "x", n=500)
    with Line(store) as line:
        line.cut_after = n_bytes
        try:
            said = repr(push([path], line.url))
        except StoreError as error:
            said = "".join(traceback.format_exception(error))
            while error is not None:
                said += repr(error)
                error = error.__cause__
    assert "127.0.0.1" in said
    assert not [secret for secret in SECRETS if secret in said]


SESSION = (
    *("-m", "pytest", "-p", "sgtrack", "-vv", "-l", "-rA", "--sg-track", "--junitxml=junit.xml"),
    *("--sg-track-report=r.html", "--sg-track-report=r.json", "--sg-track-report=r.md", "--debug"),
)
TESTS = """
def test_one(tracker):
    tracker.record("loss", 1.0, 0)

def test_two(tracker):
    tracker.record("loss", 1.0, 0)
    assert False
"""


@pytest.mark.parametrize("kind", ["right", "wrong password", "no database", "away", "malformed"])
def test_neither_a_session_nor_a_command_leaves_the_password_anywhere(
    server, store, tmp_path, kind, monkeypatch
):
    url = {
        "right": store,
        "wrong password": store.replace("correct", "incorrect"),
        "no database": f"{store}_x",
        "away": store.replace(f":{server.port}/", ":1/"),
        "malformed": store.replace("@", "@@"),
    }[kind]
    (tmp_path / "test_it.py").write_text(TESTS)
    begin = server.log.stat().st_size
    environment = {**os.environ, "SGTRACK_STORE": url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    said = []
    for command in ((*SESSION, "-s"), SESSION, ("-m", "tracking", "push", "--json")):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said += [done.stdout, done.stderr]
    with server.log.open("rb") as log:
        log.seek(begin)
        said.append(log.read().decode())
    said += [
        path.read_bytes().decode("latin-1")
        for path in sorted(tmp_path.rglob("*"))
        if path.is_file()
    ]
    assert len(said) > 8
    found = [text for text in said for secret in SECRETS if secret in text]
    assert found == []


def test_a_driver_that_would_quote_the_password_is_not_repeated():
    address = Address("postgresql://me:horse@host/db?sslpassword=cart")
    with (
        pytest.raises(TrackingError) as caught,
        address.translated("cannot be reached"),
    ):
        raise psycopg.OperationalError("no horse\n  pulls a cart\nhere")
    assert str(caught.value) == (
        "postgresql://me@host/db cannot be reached: no ***; pulls a ***; here"
    )
