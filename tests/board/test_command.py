"""Where the dashboard listens, under which names, and the command that starts it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest

from tracking import cli
from tracking.board.folder import Folder
from tracking.board.server import Server, Settings, is_loopback
from tracking.cli import board as command
from tracking.errors import BoardError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "0.0.0.0"}, "--public"),
        ({"host": "192.168.1.5"}, "--public"),
        ({"host": "board.example.org"}, "--public"),
        ({"host": "::"}, "--public"),
        ({"token": ""}, "--token has to be"),
        ({"token": "a b"}, "--token has to be"),
        ({"token": "é"}, "--token has to be"),
        ({"allowed_hosts": ["http://board.example.org"]}, "--allow-host http"),
        ({"allowed_hosts": ["x", "board.example.org/"]}, "--allow-host board"),
        ({"host": "nowhere.invalid", "is_public": True}, "cannot listen"),
        ({"host": "203.0.113.1", "is_public": True}, "cannot listen"),
    ],
)
def test_it_does_not_listen_where_it_should_not(tmp_path, settings, message):
    with pytest.raises(BoardError, match=message):
        Server(Settings(Folder(tmp_path), port=0, **settings))


def test_a_port_that_is_taken_is_named_and_the_usual_ones_give_way(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BoardError, match=f"port {port} .*--port 0"):
            Server(Settings(Folder(tmp_path), port=port))
    servers = [Server(Settings(Folder(tmp_path))) for _ in range(3)]
    assert len({server.port for server in servers}) == 3
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("settings", "hosts", "others"),
    [
        ({}, {"localhost:{}", "127.0.0.1:{}", "[::1]:{}"}, {"localhost", "0.0.0.0:{}"}),
        ({"host": "127.0.0.2"}, {"127.0.0.2:{}", "localhost:{}"}, set()),
        ({"host": "::1"}, {"[::1]:{}", "localhost:{}"}, {"::1:{}"}),
        ({"host": "localhost"}, {"localhost:{}"}, set()),
        (
            {"is_public": True, "allowed_hosts": ["Board.example.org", "x:8443"]},
            {"board.example.org", "x:8443", "localhost:{}", f"{socket.gethostname().lower()}:{{}}"},
            {"board.example.org:{}", "x", "0.0.0.0:{}"},
        ),
    ],
)
def test_it_answers_to_these_names(tmp_path, settings, hosts, others):
    server = Server(Settings(Folder(tmp_path), port=0, **settings))
    policy = server._board.app._policy
    assert {one.format(server.port) for one in hosts} <= policy.hosts
    assert not {one.format(server.port) for one in others} & policy.hosts
    assert (policy.token is not None) == bool(settings.get("is_public"))
    server.close()


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_known(host, is_it):
    assert is_loopback(host) == is_it


# The command


@pytest.fixture
def told(monkeypatch, capsys):
    """Runs a command whose server does not serve; gives the settings and what was said."""
    made = []

    def serve(self):
        made.append(self)
        self.close()

    opened = []
    monkeypatch.setattr(Server, "serve", serve)
    monkeypatch.setattr(command.webbrowser, "open", opened.append)

    def run(main, *arguments):
        code = main(list(arguments))
        return code, made[-1], opened, capsys.readouterr().out

    return run


@pytest.mark.parametrize("main", [lambda a: cli.main(["board", *a]), command.simpleboard])
@pytest.mark.parametrize("folder", ["--dir", "--all-exp-dir", "-e"])
def test_the_command_says_where_it_is_and_opens_a_browser(told, tmp_path, main, folder):
    code, server, opened, out = told(main, folder, str(tmp_path), "-p", "0")
    assert code == 0
    assert opened == [f"http://localhost:{server.port}/"]
    assert str(tmp_path) in out
    assert opened[0] in out


def test_no_browser_is_opened_where_none_is_wanted_or_the_token_would_show(told, tmp_path):
    told(command.simpleboard, "-e", str(tmp_path), "-p", "0", "--no-browser")
    _, server, opened, out = told(
        command.simpleboard, "-e", str(tmp_path), "-p", "0", "--public", "--host", "127.0.0.1"
    )
    assert opened == []
    assert f"/?token={server.token}" in out


def test_options_reach_the_policy(told, tmp_path):
    arguments = ("-e", str(tmp_path), "-p", "0", "--read-only", "--token", "abc")
    _, server, _, _ = told(command.simpleboard, *arguments, "--allow-host", "x.example")
    policy = server._board.app._policy
    assert (policy.is_read_only, policy.token, "x.example" in policy.hosts) == (True, "abc", True)


@pytest.mark.parametrize("port", ["-1", "65536", "x", "", "80a"])
def test_what_is_no_port_is_a_usage_error(port, capsys):
    with pytest.raises(SystemExit) as left:
        command.simpleboard(["--port", port])
    assert left.value.code == cli.USAGE
    assert "0 to 65535" in capsys.readouterr().err or not port


def test_trouble_is_said_in_a_line(capsys):
    assert command.simpleboard(["--host", "0.0.0.0", "-p", "0"]) == cli.TROUBLE
    assert "--public" in capsys.readouterr().err


def test_versions_are_told(capsys):
    for option in ("--version", "-V"):
        with pytest.raises(SystemExit):
            command.simpleboard([option])
        assert re.fullmatch(r"sgtrack \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_the_command_says_how_to_get_it(missing):
    script = (
        f"import sys; sys.modules[{missing!r}] = None;"
        " from tracking import cli; sys.exit(cli.main(['board']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == cli.TROUBLE
    assert "pip install 'pytest-sgtrack[board]'" in done.stderr
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_other_commands_do_without_the_extra():
    script = (
        "import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None;"
        " from tracking import cli; cli.main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0
