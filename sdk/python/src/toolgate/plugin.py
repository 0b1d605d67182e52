"""The other side of the gate's plugins: actions as functions, requests checked, answers signed.

    plugin = Plugin("refunds", os.environ["REFUNDS_SECRET"], owner="payments@acme.com")

    @plugin.action(label="Refund a charge", risk="high", resource="charge:{args.charge}")
    def issue(call: Call, charge: str, amount: int) -> Done:
        refund = desk.refund(charge, amount, key=call.idempotency_key)
        return Done("refunded", data=refund, effects={"change_status": "refunded"})

    @issue.reflect
    def issued(call: Call, charge: str, amount: int) -> Found:
        refund = desk.find(key=call.invocation_id)
        return Found(refund is not None, data=refund)

    plugin.serve("127.0.0.1", 9100)         # or `plugin.wsgi` in a server of your own

A function that raises `NotExecuted` states that nothing happened. Any other error leaves the effect
unknown, and the gate then asks `reflect`. Nothing but the standard library is needed.
Must not know: who may call what. The gate decides that, and asks people.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.server
import inspect
import json
import logging
import secrets as chance
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import Misconfigured, NotExecuted
from .schema import Parameters, jsonable

WINDOW_SECONDS = 60
"""LIMIT: how far a request's time may be from now, either way; an older one is a replay."""
BODY_BYTES_MAX = 2 << 20
"""LIMIT: twice what the gate takes as the arguments of a call."""
SEEN_MAX = 100_000
"""LIMIT: requests remembered at once; beyond it new ones are refused until old ones are out of the window."""
SIGNATURES_MAX = 8
"""LIMIT: signatures of one request that are looked at; a change of secrets needs two."""
SECRET_BYTES = range(24, 65)
SECRETS_MAX = 2
PREFIX = "whsec_"
LOG = logging.getLogger("toolgate.plugin")

Status = Literal["ok", "degraded", "down"]
Answer = tuple[int, dict[str, str], bytes]


class Unverified(Exception):
    """A request that is not the gate's, or not a fresh one."""


class Refused(Exception):
    """Raised by an `authorize`: the call may not run. The words reach the agent."""


@dataclass(frozen=True)
class Call:
    """One call, as the gate judged it."""

    action: str
    arguments: Mapping[str, Any]
    context: Mapping[str, Any] = field(default_factory=dict)
    """`source`, `tenant`, `agent`, `user`, `resource`, as far as the gate knows them."""
    invocation_id: str | None = None
    """The gate's own name for it, the same at every attempt; none before it is to run."""
    idempotency_key: str | None = None
    attempt: int = 0


@dataclass(frozen=True)
class Done:
    """It was done, or it was definitely not (`success=False`)."""

    message: str = ""
    data: Any = None
    effects: Mapping[str, Any] | None = None
    """What it changed elsewhere, by this plugin's own account: `{"change_status": "refunded"}`."""
    success: bool = True


@dataclass(frozen=True)
class Found:
    """Whether the effect of a call is there; `None` where that cannot be told now."""

    found: bool | None
    data: Any = None


class Secrets:
    """The secrets shared with the gate: one, or the new and the old one while they are changed."""

    def __init__(self, text: str) -> None:
        written = text.split()
        if not 1 <= len(written) <= SECRETS_MAX:
            raise Misconfigured(f"there are {len(written)} secrets: give one, or the new and the old one")
        self.keys = [key_of(one) for one in written]

    def sign(self, id: str, timestamp: int, body: bytes) -> str:
        """The value of `webhook-signature`."""
        return " ".join("v1," + base64.b64encode(digest).decode() for digest in self.digests(id, timestamp, body))

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """The id of a request that one of the secrets signed within the window.

        Raises `Unverified` with the reason.
        """
        try:
            id, timestamp = headers["webhook-id"], int(headers["webhook-timestamp"])
            given = headers["webhook-signature"].split()[:SIGNATURES_MAX]
        except (KeyError, ValueError):
            raise Unverified("the request is not signed") from None
        if abs(now - timestamp) > WINDOW_SECONDS:
            raise Unverified(f"the request's time is more than {WINDOW_SECONDS} seconds away from now")
        expected = self.digests(id, timestamp, body)
        decoded = [decoded for one in given if (decoded := digest_of(one)) is not None]
        # Every pair is compared, and each in constant time: how long it takes tells nothing.
        if not any([hmac.compare_digest(one, other) for one in decoded for other in expected]):
            raise Unverified("the request is not signed with the shared secret")
        return id

    def digests(self, id: str, timestamp: int, body: bytes) -> list[bytes]:
        content = f"{id}.{timestamp}.".encode() + body
        return [hmac.new(key, content, hashlib.sha256).digest() for key in self.keys]


class Action:
    """One action: the function that does it, and those that refuse and look."""

    def __init__(self, function: Callable[..., Any], definition: dict[str, Any], parameters: Parameters) -> None:
        self.run = function
        self.definition = definition
        self.parameters = parameters
        self.authorizing: Callable[..., Any] | None = None
        self.reflecting: Callable[..., Any] | None = None

    def authorize(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function that may refuse a call before it runs: it raises `Refused`, or returns."""
        self.authorizing = function
        return function

    def reflect(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function that reads whether the effect of a call is there: it returns a `Found`."""
        self.reflecting = function
        return function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    def told(self) -> dict[str, Any]:
        return {**self.definition, "reflect": self.reflecting is not None}

    def called(self, function: Callable[..., Any], call: Call) -> Any:
        arguments = {name: self.parameters.one(name, value) for name, value in call.arguments.items()}
        return function(call, **arguments)


class Plugin:
    """A set of actions behind one address and one secret."""

    def __init__(
        self,
        provider: str,
        secret: str,
        *,
        version: str = "1.0.0",
        owner: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.provider, self.version, self.owner = provider, version, owner
        self.secrets = Secrets(secret)
        self.actions: dict[str, Action] = {}
        self.condition: tuple[Status, str | None] = ("ok", None)
        self.clock = clock
        self.seen = Seen(clock())

    def action(
        self,
        id: str | None = None,
        *,
        label: str | None = None,
        description: str | None = None,
        input_schema: Mapping[str, Any] | None = None,
        requires_confirmation: bool = True,
        risk: Literal["low", "medium", "high", "critical"] | None = None,
        verb: Literal["READ", "WRITE", "DELETE", "ADMIN"] | None = None,
        resource: str | None = None,
    ) -> Callable[[Callable[..., Any]], Action]:
        """Declares a function as an action. Its first parameter is the `Call`, the others are its arguments.

        `risk` and `verb` may raise what the gate finds by itself; they lower nothing.
        """

        def declared(function: Callable[..., Any]) -> Action:
            names = list(inspect.signature(function).parameters)
            parameters = Parameters(function, hidden=names[:1])
            name = id or function.__name__
            if name in self.actions:
                raise Misconfigured(f"the plugin `{self.provider}` has an action `{name}` already")
            said = {
                "id": name,
                "label": label,
                "description": description or (function.__doc__ or "").strip() or None,
                "input_schema": dict(input_schema or parameters.schema),
                "requires_confirmation": requires_confirmation,
                "risk": risk,
                "verb": verb,
                "resource": resource,
            }
            made = Action(function, {key: value for key, value in said.items() if value is not None}, parameters)
            self.actions[name] = made
            return made

        return declared

    def is_in(self, status: Status, detail: str | None = None) -> None:
        """What `health` says from now on."""
        self.condition = (status, detail)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answers one request of the gate: status, headers and body for whatever server there is."""
        named = {name.lower(): value for name, value in headers.items()}
        id = named.get("webhook-id", "")
        now = self.clock()
        try:
            self.seen.first(self.secrets.verify(named, body, now), int(named["webhook-timestamp"]), now)
            status, answer = self.answered(method, path.partition("?")[0].rstrip("/"), body)
        except Unverified as error:
            # Unsigned: a signed refusal of a copy would pass for one of the call that ran.
            return 401, {"content-type": "application/json"}, json.dumps({"message": str(error)}).encode()
        except Exception:
            # The effect may have landed: the gate is told nothing, and finds out by `reflect`.
            incident = chance.token_hex(8)
            LOG.exception("a request failed, incident %s", incident)
            status, answer = 500, {"message": f"the plugin failed, incident {incident}"}
        return self.signed(id, status, answer)

    def answered(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        step = path.rpartition("/action/")[2]
        if (method, step) == ("GET", "health"):
            return 200, self.health()
        try:
            asked = json.loads(body)
        except ValueError:
            return 400, {"success": False, "message": "the request is no JSON"}
        # A request that was signed for one step is not taken at another's address.
        if method != "POST" or not isinstance(asked, dict) or asked.get("type") != f"action.{step}":
            return 400, {"success": False, "message": "the request is not one for this address"}
        if step == "discover":
            return 200, self.discovered()
        action = self.actions.get(str(asked.get("action")))
        if action is None:
            return 404, {"success": False, "message": "there is no such action"}
        call = Call(
            action=str(asked["action"]),
            arguments=asked.get("arguments") or {},
            context=asked.get("context") or {},
            invocation_id=asked.get("invocation_id"),
            idempotency_key=asked.get("idempotency_key"),
            attempt=int(asked.get("attempt") or 0),
        )
        steps = {"authorize": authorized, "execute": executed, "reflect": reflected}
        return steps[step](action, call) if step in steps else (404, {"success": False, "message": "there is no such step"})

    def health(self) -> dict[str, Any]:
        status, detail = self.condition
        # Another revision has the gate read the actions again.
        revision = hashlib.sha256(json.dumps(self.discovered(), sort_keys=True).encode()).hexdigest()[:16]
        return {"status": status, "detail": detail, "revision": revision}

    def discovered(self) -> dict[str, Any]:
        said = {"provider": self.provider, "version": self.version, "owner": self.owner, "auth": "hmac"}
        return {**said, "actions": [action.told() for action in self.actions.values()]}

    def signed(self, id: str, status: int, answer: dict[str, Any]) -> Answer:
        body = json.dumps(answer).encode()
        timestamp = int(self.clock())
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self.secrets.sign(id, timestamp, body),
        }
        return status, headers, body

    def wsgi(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The same as a WSGI application."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > BODY_BYTES_MAX:
            start_response("413 Content Too Large", [])
            return [b""]
        headers = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
        body = environ["wsgi.input"].read(length)
        status, answer, said = self.handle(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), headers, body)
        start_response(f"{status} {http.HTTPStatus(status).phrase}", list(answer.items()))
        return [said]

    def server(self, host: str = "127.0.0.1", port: int = 0) -> http.server.ThreadingHTTPServer:
        """A server of it that is not running yet; its address is `server_address`."""
        return http.server.ThreadingHTTPServer((host, port), handler_of(self))

    def serve(self, host: str = "127.0.0.1", port: int = 9100) -> None:
        """Serves it until the process ends. Put TLS in front where the gate is on another machine."""
        with self.server(host, port) as server:
            server.serve_forever()


class Seen:
    """The requests of the last minutes: each is answered once, so a copy of one does nothing.

    What came before this process is not remembered, so what was signed before it is not taken.
    """

    def __init__(self, started: float) -> None:
        self.started = int(started)
        self.ids: OrderedDict[str, float] = OrderedDict()
        self.lock = threading.Lock()

    def first(self, id: str, timestamp: int, now: float) -> None:
        """Notes a request, or raises `Unverified` where it was there before."""
        if timestamp <= self.started:
            raise Unverified("the request was signed before the plugin started: try again")
        with self.lock:
            # One is out of the window once it is as old as the window is wide, counted both ways.
            while self.ids and now - next(iter(self.ids.values())) > 2 * WINDOW_SECONDS:
                self.ids.popitem(last=False)
            if id in self.ids:
                raise Unverified("the request was here before")
            if len(self.ids) >= SEEN_MAX:
                raise Unverified("there are more requests than can be told apart: try again later")
            self.ids[id] = now


def authorized(action: Action, call: Call) -> tuple[int, dict[str, Any]]:
    if action.authorizing is None:
        return 200, {"allowed": True}
    try:
        action.called(action.authorizing, call)
    except Refused as refusal:
        return 200, {"allowed": False, "message": str(refusal)}
    return 200, {"allowed": True}


def executed(action: Action, call: Call) -> tuple[int, dict[str, Any]]:
    try:
        done = action.called(action.run, call)
    except NotExecuted as error:
        done = Done(str(error), success=False)
    if not isinstance(done, Done):
        done = Done(data=done)
    answer = {"success": done.success, "message": done.message, "data": done.data, "effects": done.effects}
    return 200, {key: jsonable(value) for key, value in answer.items()}


def reflected(action: Action, call: Call) -> tuple[int, dict[str, Any]]:
    if action.reflecting is None:
        return 200, {"found": "unknown"}
    found = action.called(action.reflecting, call)
    if not isinstance(found, Found):
        raise TypeError(f"what reflects on `{call.action}` returned no `Found`")
    return 200, {"found": "unknown" if found.found is None else found.found, "data": jsonable(found.data)}


def key_of(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise Misconfigured(f"a secret does not begin with `{PREFIX}`: make one with `openssl rand -base64 32`")
    try:
        key = base64.b64decode(text[len(PREFIX) :], validate=True)
    except binascii.Error:
        raise Misconfigured(f"a secret is not base64 after `{PREFIX}`") from None
    if len(key) not in SECRET_BYTES:
        raise Misconfigured(f"a secret has {len(key)} bytes: make it 24 to 64")
    return key


def digest_of(signature: str) -> bytes | None:
    version, _, encoded = signature.partition(",")
    try:
        return base64.b64decode(encoded, validate=True) if version == "v1" else None
    except binascii.Error:
        return None


def handler_of(plugin: Plugin) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30  # LIMIT: a client that says nothing for so long is gone.

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            length = self.headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > BODY_BYTES_MAX or "transfer-encoding" in self.headers:
                self.close_connection = True
                return self.send_error(413)
            body = self.rfile.read(int(length))
            status, headers, said = plugin.handle(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            return None

        def log_message(self, format: str, *args: Any) -> None:
            LOG.debug(format, *args)

    return Handler


__all__ = ["Action", "Call", "Done", "Found", "NotExecuted", "Plugin", "Refused", "Secrets", "Unverified"]
