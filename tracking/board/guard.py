"""Who may ask the dashboard for what, decided before anything else sees a request.

A page of any web site can send requests to a server on its reader's machine, and read the answers
once it has made a name of its own lead there (DNS rebinding). So each request has to name this
server as its host, and what changes anything has to come from a page of this server.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders

from tracking.board.answers import problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SELECT = "/api/databases/select"
"""What the original's page posts: it changes nothing but what is shown by default."""

_READS = frozenset({"GET", "HEAD"})
_WRITES = frozenset({"POST", "DELETE"})
_LARGEST_BODY = 1 << 16

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "content-security-policy": "; ".join(" ".join(one) for one in _POLICY.items()),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer says."""


@dataclass(frozen=True)
class Policy:
    """Who may ask for what.

    Attributes:
        hosts: values of the header Host that mean this server, in lower case.
        token: what everybody has to know; None where nobody else can reach the server.
        is_read_only: whether nothing may be deleted.
        cookie: name of the cookie that holds the token.
    """

    hosts: frozenset[str]
    token: str | None = None
    is_read_only: bool = False
    cookie: str = "sgtrack_board"


class Asked(NamedTuple):
    """What a request says of itself; a header that is not there is None."""

    method: str
    path: str
    hosts: Sequence[str]
    origin: str | None = None
    fetch_site: str | None = None
    content_type: str | None = None
    content_length: str | None = None
    is_chunked: bool = False
    mark: str | None = None  # the header X-SGTrack
    tokens: Sequence[str] = ()


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    reason: str


def refusal(policy: Policy, asked: Asked) -> Refusal | None:
    """Return why a request is refused; None where it may go on. Pure."""
    if len(asked.hosts) != 1 or asked.hosts[0].lower() not in policy.hosts:
        return Refusal(403, "this is not the host of the dashboard")
    if policy.token is not None and not any(_is_same(one, policy.token) for one in asked.tokens):
        return Refusal(401, "the token is missing; open the address that `sgtrack board` printed")
    if asked.method not in _READS | _WRITES:
        return Refusal(405, f"{asked.method[:20]} is not answered here")
    if asked.is_chunked:
        return Refusal(411, "the length of the body is missing")
    if asked.content_length is not None and not _is_small(asked.content_length):
        return Refusal(413, f"a body has at most {_LARGEST_BODY} bytes")
    if asked.method in _WRITES:
        return _refusal_of_write(policy, asked)
    return None


def _refusal_of_write(policy: Policy, asked: Asked) -> Refusal | None:
    if not _is_same_origin(asked):
        return Refusal(403, "only a page of this dashboard may ask for that")
    media_type = (asked.content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return Refusal(415, "the body has to be application/json")
    if asked.method == "POST" and asked.path == SELECT:
        return None
    if asked.mark != "1":
        return Refusal(403, "the header X-SGTrack: 1 is missing")
    if policy.is_read_only:
        return Refusal(403, "this dashboard only reads: as --read-only has it, or of a store")
    return None


def _is_same_origin(asked: Asked) -> bool:
    """Tell whether a browser says that a page of this server asks; a program may say it too."""
    if asked.fetch_site not in (None, "same-origin"):
        return False
    if asked.origin is None:
        return asked.fetch_site == "same-origin"
    host = asked.hosts[0].lower()
    return asked.origin.lower() in (f"http://{host}", f"https://{host}")


def _is_small(length: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", length) is not None and int(length) <= _LARGEST_BODY


def _is_same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


class Guard:
    """Lets through to an application what its policy allows.

    Args:
        app: what answers.
        policy: who may ask for what.
    """

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "websocket":  # there are none here
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope, self._policy.cookie)
        found = refusal(self._policy, asked)
        if found is not None:
            answer: Response = problem(found.status, found.reason)
            await answer(scope, receive, send)
        elif self._policy.token is not None and asked.method in _READS and _has_token(scope):
            answer = problem(303, "the token is in a cookie now")
            answer.headers["location"] = _without_token(scope)
            answer.set_cookie(
                self._policy.cookie, self._policy.token, httponly=True, samesite="lax", path="/"
            )
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "private, no-cache")
        await send(message)

    return sending


def _asked(scope: Scope, cookie: str) -> Asked:
    headers = Headers(scope=scope)
    return Asked(
        method=scope["method"],
        path=scope["path"],
        hosts=headers.getlist("host"),
        origin=_only(headers.getlist("origin")),
        fetch_site=headers.get("sec-fetch-site"),
        content_type=_only(headers.getlist("content-type")),
        content_length=headers.get("content-length"),
        is_chunked="transfer-encoding" in headers,
        mark=headers.get("x-sgtrack"),
        tokens=_tokens(scope, headers, cookie),
    )


def _only(values: Sequence[str]) -> str | None:
    """Return a header that is given once; one given several times is nothing anybody may say."""
    return None if not values else values[0] if len(values) == 1 else "several"


def _tokens(scope: Scope, headers: Headers, cookie: str) -> list[str]:
    kind, _, credentials = headers.get("authorization", "").partition(" ")
    found = [credentials.strip()] if kind.lower() == "bearer" else []
    for pair in ";".join(headers.getlist("cookie")).split(";"):
        name, _, value = pair.strip().partition("=")
        if name == cookie:
            found.append(value)
    if scope["method"] in _READS:
        found += [value for name, value in _query(scope) if name == "token"]
    return found


def _query(scope: Scope) -> list[tuple[str, str]]:
    text = scope["query_string"].decode("latin-1")
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def _has_token(scope: Scope) -> bool:
    return any(name == "token" for name, _ in _query(scope))


def _without_token(scope: Scope) -> str:
    """Return the address of a request without the token, on this very server."""
    rest = urlencode([(name, value) for name, value in _query(scope) if name != "token"])
    path = "/" + scope["path"].lstrip("/\\")  # what begins with two of them names another host
    quoted = re.sub(r"[^A-Za-z0-9/._~-]", lambda one: _percent(one[0]), path)
    return f"{quoted}?{rest}" if rest else quoted


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
