"""`sgtrack board`, and `simpleboard`: the dashboard in a browser."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import TrackingError, __version__
from tracking.cli.options import add_command, add_shared_store
from tracking.cli.output import INTERRUPTED, OK, TROUBLE, complain, flush_output, say
from tracking.cli.store import store_address
from tracking.errors import MissingDependencyError, StoreUnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.board.store import Store
    from tracking.cli.options import Commands
    from tracking.postgres.address import Address

_NEEDED = ("starlette", "uvicorn", "anyio")


def add_to(commands: Commands) -> None:
    """Add the command."""
    _add_options(add_command(commands, "board", board))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        "--all-exp-dir",
        "-e",
        type=Path,
        default=Path("experiments"),
        help="folder of the experiments (default: %(default)s)",
    )
    add_shared_store(parser)
    parser.add_argument(
        "--port",
        "-p",
        type=_port,
        metavar="PORT",
        help="port to listen on, 0 for any (default: 8000, or another usual one if it is taken)",
    )
    parser.add_argument(
        "--host",
        help="name or address to listen on (default: 127.0.0.1; with --public all of this machine)",
    )
    parser.add_argument(
        "--public",
        action="store_true",
        help="let other machines in that know the token, which is made and printed",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="another name that browsers reach it by, as board.example.org or name:8443; may be"
        " repeated",
    )
    parser.add_argument("--token", help="the token, where it is not to be made")
    parser.add_argument("--read-only", action="store_true", help="let nobody delete runs")
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    parser.add_argument("--version", "-V", action="version", version=f"sgtrack {__version__}")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 0 to 65535")
    return int(text)


def board(options: argparse.Namespace) -> int:
    """Look at experiments in a browser, also while tests record into them.

    Reads only, unless a run is deleted in the page. Ctrl-C ends it.
    """
    try:
        from tracking.board.folder import Folder
        from tracking.board.server import Server, Settings
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise MissingDependencyError(
            f"the dashboard needs {error.name}, which is not installed:"
            " pip install 'pytest-sgtrack[board]'"
        ) from error
    store = store_address(options)
    folder = options.dir.absolute()
    server = Server(
        Settings(
            databases=Folder(folder) if store is None else _store(store, folder),
            host=options.host,
            port=options.port,
            is_public=options.public,
            allowed_hosts=options.allow_host,
            token=options.token,
            is_read_only=options.read_only,
        )
    )
    addresses = server.addresses()
    say(f"experiments: {folder if store is None else f'{store}, only read'}")
    for address in addresses:
        say(f"  {address}")
    say("Ctrl-C ends it")
    flush_output()
    # Everybody on this machine sees what a browser is started with.
    if not (options.no_browser or server.token):
        webbrowser.open(addresses[0])
    server.serve()
    return OK


def _store(address: Address, folder: Path) -> Store:
    from tracking.board.store import Store  # psycopg is an extra of its own

    store = Store(address, folder)
    try:
        store.names()
    except StoreUnreachableError as error:
        complain(f"{error}; the dashboard waits for it")
    return store


def simpleboard(arguments: Sequence[str] | None = None) -> int:
    """Run the dashboard by the original's name and options; returns its exit code."""
    parser = argparse.ArgumentParser(prog="simpleboard", description=board.__doc__)
    _add_options(parser)
    try:
        return board(parser.parse_args(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    except TrackingError as error:
        complain(str(error))
        return TROUBLE
