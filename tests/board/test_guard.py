"""Nobody gets in who should not: hosts, origins, methods, bodies, tokens, in every combination."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.board.conftest import HOST, Client
from tracking.board.guard import HEADERS, Asked, Policy, refusal

# What a browser may send, and whether it may. The rule below knows nothing but these words.
HOSTS = {
    "localhost:8000": "ours",
    "LOCALHOST:8000": "ours",
    "localhost": "foreign",  # another port, which another program may serve
    "localhost:8001": "foreign",
    "localhost:80000": "foreign",
    "localhost.:8000": "foreign",
    "localhost:8000.evil.example": "foreign",
    "evil.example:8000": "foreign",
    "evil.example": "foreign",
    "localhost:8000@evil.example": "foreign",
    "evil.example#localhost:8000": "foreign",
    "127.0.0.1.evil.example:8000": "foreign",
    "0.0.0.0:8000": "foreign",
    "[::]:8000": "foreign",
    "": "foreign",
}
ORIGINS = {
    None: "none",
    f"http://{HOST}": "ours",
    f"https://{HOST}": "ours",
    "http://localhost:8001": "foreign",
    "http://evil.example": "foreign",
    f"http://{HOST}.evil.example": "foreign",
    f"http://evil.example/http://{HOST}": "foreign",
    "null": "foreign",
}
SITES = {None: "none", "same-origin": "ours", "same-site": "foreign", "cross-site": "foreign"}
SITES["none"] = "foreign"  # the address bar: no page sends a write that way
TYPES = {
    None: False,
    "application/json": True,
    "Application/JSON; charset=utf-8": True,
    "text/plain": False,
    "text/plain; application/json": False,
    "application/x-www-form-urlencoded": False,
    "multipart/form-data": False,
}
MARKS = {None: False, "1": True, "true": False}
READS = ("GET /", "GET /board.js", "GET /board.css", "GET /api/config", "GET /api/runs", "GET /x")
READS += ("HEAD /", "HEAD /api/runs", "GET /api/databases/select", "GET /../etc/passwd")
SELECTS = ("POST /api/databases/select",)
DESTROYS = ("DELETE /api/runs/1", "POST /api/runs", "DELETE /api/databases/select")
OTHERS = ("OPTIONS /api/runs", "PUT /api/runs/1", "PATCH /api/config/exp-dir", "TRACE /")


def is_allowed(request, host, origin, site, kind, mark, *, is_read_only=False):
    """The rule, in the words of the tables."""
    if HOSTS[host] != "ours" or request in OTHERS:
        return False
    if request in READS:
        return True
    if "foreign" in (ORIGINS[origin], SITES[site]):
        return False
    if "ours" not in (ORIGINS[origin], SITES[site]) or not TYPES[kind]:
        return False
    return request in SELECTS or (MARKS[mark] and not is_read_only)


REFUSED = {401, 403, 405, 411, 413, 415}
JSON = "application/json"
EVERY = (*READS, *SELECTS, *DESTROYS, *OTHERS)
CASES = [
    # Where it comes from, for everything that can be asked.
    *itertools.product(EVERY, HOSTS, ORIGINS, [None], [JSON], ["1"]),
    # How it comes, for what may change something.
    *itertools.product((*SELECTS, *DESTROYS), [HOST], ORIGINS, SITES, TYPES, MARKS),
]


async def answered(app, request, host, origin, site, kind, mark):
    """Status and text of an answer; thousands of them are wanted, so nothing stands between."""
    method, path = request.split()
    given = {"origin": origin, "sec-fetch-site": site, "content-type": kind, "x-sgtrack": mark}
    headers = {name: value for name, value in given.items() if value is not None} | {"host": host}
    body = b"" if method in ("GET", "HEAD") else b"{}"
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]).decode()


@pytest.mark.parametrize("is_read_only", [False, True], ids=["usual", "read-only"])
def test_nothing_is_let_in_that_should_not_be_and_nothing_else_is_kept_out(
    new_client, is_read_only
):
    app = new_client(is_read_only=is_read_only).board.app

    async def all_of_them():
        return [await answered(app, *case) for case in CASES]

    wrong = []
    n_allowed = 0
    for case, (status, text) in zip(CASES, asyncio.run(all_of_them()), strict=True):
        # What the guard lets through may meet nothing that answers to its method.
        is_in = status not in REFUSED or (status == 405 and "at this address" in text)
        if is_in != is_allowed(*case, is_read_only=is_read_only):
            wrong.append((case, status))
        n_allowed += is_in
    assert wrong == []
    assert len(CASES) >= 2_000
    assert 50 < n_allowed < len(CASES) / 2


@given(
    st.sampled_from(EVERY),
    st.sampled_from([*HOSTS]),
    st.sampled_from([*ORIGINS]),
    st.sampled_from([*SITES]),
    st.sampled_from([*TYPES]),
    st.sampled_from([*MARKS]),
    st.booleans(),
)
def test_the_decision_follows_the_rule_whatever_comes_together(
    request_, host, origin, site, kind, mark, is_read_only
):
    method, path = request_.split()
    policy = Policy(frozenset({HOST}), is_read_only=is_read_only)
    asked = Asked(method, path, [host], origin, site, kind, mark=mark)
    expected = is_allowed(request_, host, origin, site, kind, mark, is_read_only=is_read_only)
    assert (refusal(policy, asked) is None) == expected


@pytest.mark.parametrize("hosts", [[], [HOST, HOST], [HOST, "evil.example"]])
def test_a_request_names_one_host(hosts):
    assert refusal(Policy(frozenset({HOST})), Asked("GET", "/", hosts)).status == 403


def test_every_route_is_behind_the_guard(client):
    routes = client.board.app._app.routes
    assert len(routes) >= 25
    for route in routes:
        path = route.path.replace("{run}", "1")
        for method in route.methods:
            answer = client.http.request(method, path, headers={"host": "evil.example"})
            assert answer.status_code == 403, path


# The token

TOKEN = "a-secret-of-somebody"


@pytest.fixture
def secret(new_client):
    return new_client(token=TOKEN, cookie="sgtrack_board_8000")


@pytest.mark.parametrize("path", ["/", "/board.js", "/api/config", "/api/runs", "/api/live", "/x"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"cookie": "sgtrack_board_8000=wrong"},
        {"cookie": f"sgtrack_board_8001={TOKEN}"},
        {"cookie": "sgtrack_board_8000="},
        {"authorization": b"Bearer \xff\xfe"},
    ],
)
def test_without_the_token_nothing_is_told(secret, path, headers):
    answer = secret.http.get(path, headers=headers)
    assert answer.status_code == 401
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"cookie": f"sgtrack_board_8000={TOKEN}"},
        {"cookie": f"other=1; sgtrack_board_8000={TOKEN}; more=2"},
    ],
)
def test_the_token_is_taken_from_a_header_or_a_cookie(secret, headers):
    assert secret.http.get("/api/config", headers=headers).status_code == 200


def test_the_first_visit_brings_a_cookie_and_an_address_without_the_token(secret):
    answer = secret.http.get(f"/?token={TOKEN}&db=a%20b.db&x=", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?db=a+b.db&x=")
    cookie = answer.headers["set-cookie"]
    assert cookie == f"sgtrack_board_8000={TOKEN}; HttpOnly; Path=/; SameSite=lax"
    assert secret.http.get("/api/config").status_code == 200  # the client kept it


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("//evil.example/", "/evil.example/"),
        ("/\\evil.example", "/evil.example"),
        ("/%2F%2Fevil.example", "/evil.example"),
        ("/a%0D%0Aset-cookie:x", "/a%0D%0Aset-cookie%3Ax"),
    ],
)
def test_the_first_visit_stays_on_this_server(secret, path, place):
    url = f"http://{HOST}{path}?token={TOKEN}"
    answer = secret.http.get(url, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, place)


def test_a_token_in_the_address_of_a_write_counts_for_nothing(secret):
    body = json.dumps({"db_name": "x.db"})
    headers = {"origin": f"http://{HOST}", "content-type": JSON}
    path = f"/api/databases/select?token={TOKEN}"
    assert secret.http.post(path, content=body, headers=headers).status_code == 401


def test_a_wrong_token_in_the_address_is_refused(secret):
    assert secret.http.get("/?token=wrong").status_code == 401


def test_the_token_is_in_no_log(secret, caplog):
    with caplog.at_level(logging.DEBUG, logger="uvicorn"), caplog.at_level(logging.DEBUG):
        secret.http.get(f"/?token={TOKEN}")
        secret.http.get("/api/config")
    records = [one for one in caplog.records if not one.name.startswith("httpx")]  # the client's
    assert not [one for one in records if TOKEN in one.getMessage()]


# Bodies and headers


@pytest.mark.parametrize(
    ("size", "status"), [(10, 404), (60_000, 404), (65_536, 404), (65_537, 413), (1_000_000, 413)]
)
def test_a_body_has_a_limit(client, size, status):
    body = json.dumps({"db_name": "x"})
    content = body + " " * (size - len(body)) if size > len(body) else '{"db_name"'
    status = 400 if size == 10 else status
    headers = {"origin": f"http://{HOST}", "content-type": JSON}
    answer = client.http.post("/api/databases/select", content=content, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999", "x", "٣"])
def test_a_length_that_is_none_is_refused(length):
    asked = Asked("GET", "/", [HOST], content_length=length)
    assert refusal(Policy(frozenset({HOST})), asked).status == 413


def test_a_body_of_unknown_length_is_refused(client):
    headers = {"origin": f"http://{HOST}", "content-type": JSON}
    parts = (part for part in [b'{"db_name":', b'"x"}'])
    answer = client.http.post("/api/databases/select", content=parts, headers=headers)
    assert answer.status_code == 411


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "1", "null", '"x"', '{"db_name": 1}', "{}", "[" * 60_000, "\ufffd"]
)
def test_a_body_that_says_nothing_is_refused(client, body):
    headers = {"origin": f"http://{HOST}", "content-type": JSON}
    answer = client.http.post("/api/databases/select", content=body.encode(), headers=headers)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize(
    ("path", "status"),
    [("/x", 404), ("/api/config", 200), ("/api/runs/1", 400), ("/api/find", 400)],
)
def test_every_answer_has_the_headers_of_a_careful_server(client, path, status):
    client.http.headers["origin"] = "http://evil.example"
    answer = client.get(path)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_refusals_have_them_too(client):
    answer = client.http.get("/", headers={"host": "evil.example"})
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]
    assert list(answer.json()) == ["error"]


def test_a_server_of_other_names_answers_to_these(experiments):
    client = Client(experiments)
    policy = Policy(frozenset({"board.example.org", "10.0.0.7:8000"}))
    client.board.app._policy = policy
    for host, status in (("board.example.org", 200), ("10.0.0.7:8000", 200), (HOST, 403)):
        answer = client.http.get("/api/config", headers={"host": host})
        assert answer.status_code == status
