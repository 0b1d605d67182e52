"""The two clients: `Toolgate`, and `AsyncToolgate` for programs with an event loop.

    gate = Toolgate()                       # TOOLGATE_URL and TOOLGATE_KEY
    gate.call("stripe.refund", {"charge": "ch_1", "amount": 640})    # the gate runs it

    @gate.tool(resource="customer:{args.customer}")                  # this program runs it
    def refund(customer: str, amount: int) -> str: ...

Both perform the same flows (flows.py), one by blocking, one by awaiting. A function stays what it
is: a sync one is driven by the sync client, an async one by the async client, whichever of the two
it was decorated with. Must not know frameworks.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload
from urllib.parse import quote, urlsplit

import httpx

from . import flows
from .calls import Options, call_of
from .decorated import GuardedTool, decorated
from .definition import Definition
from .errors import Misconfigured
from .flows import Flow, Guarded, Lease, Lost, Pause, Raised, Ran, Reply, Send, Step, Tool
from .outcomes import Outcome, Pending, Verdict, parsed
from .schema import jsonable

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .decorated import Stated

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

URL_DEFAULT = "http://127.0.0.1:8787"
BODY_BYTES_MAX = 16 << 20
"""LIMIT: a longer answer of the gate is not read on."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Client:
    """What both clients are: where the gate is, and the tools that this program runs."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        source: str = "app",
        transport: Any = None,
        clock: Callable[[], float] = time.monotonic,
        **defaults: Unpack[Options],
    ) -> None:
        self.url = address(url or os.environ.get("TOOLGATE_URL") or URL_DEFAULT)
        self.key = key or os.environ.get("TOOLGATE_KEY") or ""
        if not self.key:
            raise Misconfigured("there is no key: set `TOOLGATE_KEY`, or pass `key=`; `toolgate key create` makes one")
        self.source = source
        self.transport = transport
        self.clock = clock
        self.defaults: Options = defaults
        self.definitions: dict[str, Definition] = {}
        self.known: set[str] = set()

    def settings(self) -> dict[str, Any]:
        """How the HTTP client is made."""
        loopback = urlsplit(self.url).hostname in LOOPBACK
        # A proxy of the environment is for the world outside, not for a gate on this machine.
        transport = {"transport": self.transport} if self.transport is not None else {"trust_env": not loopback}
        headers = {"Authorization": f"Bearer {self.key}", "User-Agent": "toolgate-python"}
        return {"base_url": self.url, "headers": headers, "follow_redirects": False, **transport}

    def identify(self, name: str) -> str:
        """The full name of a tool of this program."""
        return name if name.startswith(f"{self.source}.") else f"{self.source}.{name}"

    def define(self, definition: Definition) -> str:
        """Notes a tool, to be registered before its first call."""
        if self.definitions.get(definition.name) != definition:
            self.known.discard(definition.name)
        self.definitions[definition.name] = definition
        return self.identify(definition.name)

    def introduced(self) -> Flow[Mapping[str, Any] | None]:
        """Registers what was defined since the last time."""
        new = {name: told for name, told in self.definitions.items() if name not in self.known}
        if not new:
            return None
        said = yield from flows.registered(new, self.source)
        self.known.update(new)
        return said

    def acquiring(
        self, link: flows.Link, tool: Tool, arguments: Mapping[str, Any], options: Options
    ) -> Flow[Lease | Outcome]:
        call = call_of(tool.id, arguments, self.defaults, options)
        yield from self.introduced()
        found = yield from flows.leased(link, tool, call)
        if isinstance(found, Lease):
            return found
        # Waiting would run it, and what runs it is not ours.
        return flows.met(replace(found, later=None) if isinstance(found, Pending) else found, call)

    def guarding(self, link: flows.Link, tool: Tool, arguments: Mapping[str, Any], options: Options) -> Flow[Guarded]:
        call = call_of(tool.id, arguments, self.defaults, options)
        yield from self.introduced()
        return (yield from flows.guarded(link, tool, call))


class Toolgate(Client):
    """The client of a program that blocks. Safe to share between threads."""

    awaits = False

    def __init__(self, url: str | None = None, key: str | None = None, **settings: Any) -> None:
        super().__init__(url, key, **settings)
        self.link = flows.Link(self.clock, self.drive)
        self.http = httpx.Client(**self.settings())

    @functools.cached_property
    def twin(self) -> AsyncToolgate:
        """The async client of the same gate, for async functions."""
        return cast("AsyncToolgate", paired(AsyncToolgate, self))

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]) -> Outcome:
        """A tool that the gate runs.

        Raises `Problem` and `GateUnreachable`; a denial is an outcome.
        """
        return self.drive(flows.called(self.link, call_of(tool, as_json(arguments), self.defaults, options)))

    def guard(
        self,
        definition: Definition,
        arguments: Mapping[str, Any],
        function: Callable[..., Any],
        **options: Unpack[Options],
    ) -> Guarded:
        """A tool that this program runs: `function` gets the arguments as judged, and only under a lease."""
        tool = Tool(definition, self.define(definition), function)
        return self.drive(self.guarding(self.link, tool, as_json(arguments), options))

    def acquire(
        self, definition: Definition, arguments: Mapping[str, Any], **options: Unpack[Options]
    ) -> Lease | Outcome:
        """Proposes a call that something else in this program runs: a lease, or why there is none.

        For frameworks whose hooks come before and after a tool. `release` must follow: a lease that
        nobody reports on ends as an unknown effect. An approval is claimed by acquiring again with
        the same key, never by `wait`.
        """
        tool = Tool(definition, self.define(definition), unrunnable)
        return self.drive(self.acquiring(self.link, tool, as_json(arguments), options))

    def release(self, definition: Definition, lease: Lease, done: Ran | Raised) -> Outcome:
        """Reports on a lease: what was returned, or what was raised."""
        tool = Tool(definition, self.identify(definition.name), unrunnable)
        return self.drive(flows.settled(self.link, tool, lease, flows.reported(done, definition)))

    def decide(self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]) -> Verdict:
        """A verdict only, on the record."""
        return self.drive(flows.judged(call_of(tool, as_json(arguments), self.defaults, options), "decide"))

    def simulate(self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]) -> Verdict:
        """A verdict only; nothing is recorded and nothing is used up."""
        return self.drive(flows.judged(call_of(tool, as_json(arguments), self.defaults, options), "simulate"))

    def look(self, outcome: Outcome | str, wait: float = 0.0) -> Outcome:
        """How a call stands."""
        return self.drive(flows.looked(self.link, id_of(outcome), wait))

    def wait(self, outcome: Outcome, timeout: float = 300.0) -> Outcome:
        """Goes on with a call that is pending or in doubt, for at most so many seconds."""
        return outcome if settled(outcome) else cast("Outcome", later_of(outcome, self.link)(timeout))

    def reconcile(self, outcome: Outcome, timeout: float = 30.0) -> Outcome:
        """Tells what is known of a call in doubt, and waits for what the gate finds."""
        return self.wait(outcome, timeout)

    def cancel(self, outcome: Outcome | str) -> Outcome:
        """Withdraws a call that waits."""
        path = f"/v1/invocations/{quote(id_of(outcome), safe='')}/cancel"
        return parsed(self.drive(flows.fetched(path, "POST")))

    def tools(self) -> list[dict[str, Any]]:
        """The tools that this key may reach."""
        return list(self.drive(flows.fetched("/v1/tools"))["items"])

    def register(self) -> Mapping[str, Any] | None:
        """Tells the gate of the defined tools now, rather than before the first call."""
        return self.drive(self.introduced())

    @overload
    def tool(self, function: Callable[P, R], /) -> GuardedTool[P, R]: ...
    @overload
    def tool(self, /, **stated: Unpack[Stated]) -> Callable[[Callable[P, R]], GuardedTool[P, R]]: ...
    def tool(self, function: Callable[..., Any] | None = None, /, **stated: Any) -> Any:
        """Puts a function of this program behind the gate. See `GuardedTool`."""
        return decorated(self, function, stated)

    def drive(self, flow: Flow[T]) -> T:
        """Performs a flow to its end."""
        found: Any = None
        try:
            while True:
                found = self.perform(flow.send(found))
        except StopIteration as ended:
            return cast("T", ended.value)

    def perform(self, step: Step) -> Any:
        if isinstance(step, Send):
            return self.send(step)
        if isinstance(step, Pause):
            return time.sleep(step.seconds) if self.transport is None else None
        try:
            return Ran(step.function(**step.arguments))
        except BaseException as error:  # What was raised decides what is reported; it is raised again then.
            return Raised(error)

    def send(self, step: Send) -> Reply | Lost:
        try:
            with self.http.stream(step.method, step.path, **parts(step)) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += bounded(body, chunk)
        except httpx.TransportError as error:
            return Lost(error)
        return reply(answer, bytes(body))

    def close(self) -> None:
        """Closes its connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncToolgate(Client):
    """The client of a program with an event loop."""

    awaits = True

    def __init__(self, url: str | None = None, key: str | None = None, **settings: Any) -> None:
        super().__init__(url, key, **settings)
        self.link = flows.Link(self.clock, self.drive)
        # A connection belongs to the loop that opened it, and a program may run several, one after another.
        self.https: weakref.WeakKeyDictionary[Any, httpx.AsyncClient] = weakref.WeakKeyDictionary()
        self.lock = threading.Lock()

    @functools.cached_property
    def twin(self) -> Toolgate:
        """The sync client of the same gate, for sync functions."""
        return cast("Toolgate", paired(Toolgate, self))

    @property
    def http(self) -> httpx.AsyncClient:
        """The HTTP client of the running loop."""
        loop = asyncio.get_running_loop()
        with self.lock:
            if loop not in self.https:
                self.https[loop] = httpx.AsyncClient(**self.settings())
            return self.https[loop]

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]) -> Outcome:
        """A tool that the gate runs; see `Toolgate.call`."""
        return await self.drive(flows.called(self.link, call_of(tool, as_json(arguments), self.defaults, options)))

    async def guard(
        self,
        definition: Definition,
        arguments: Mapping[str, Any],
        function: Callable[..., Any],
        **options: Unpack[Options],
    ) -> Guarded:
        """A tool that this program runs; see `Toolgate.guard`."""
        tool = Tool(definition, self.define(definition), function)
        return await self.drive(self.guarding(self.link, tool, as_json(arguments), options))

    async def acquire(
        self, definition: Definition, arguments: Mapping[str, Any], **options: Unpack[Options]
    ) -> Lease | Outcome:
        """See `Toolgate.acquire`."""
        tool = Tool(definition, self.define(definition), unrunnable)
        return await self.drive(self.acquiring(self.link, tool, as_json(arguments), options))

    async def release(self, definition: Definition, lease: Lease, done: Ran | Raised) -> Outcome:
        """Reports on a lease: what was returned, or what was raised."""
        tool = Tool(definition, self.identify(definition.name), unrunnable)
        return await self.drive(flows.settled(self.link, tool, lease, flows.reported(done, definition)))

    async def decide(
        self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]
    ) -> Verdict:
        """A verdict only, on the record."""
        return await self.drive(flows.judged(call_of(tool, as_json(arguments), self.defaults, options), "decide"))

    async def simulate(
        self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]
    ) -> Verdict:
        """A verdict only; nothing is recorded and nothing is used up."""
        return await self.drive(flows.judged(call_of(tool, as_json(arguments), self.defaults, options), "simulate"))

    async def look(self, outcome: Outcome | str, wait: float = 0.0) -> Outcome:
        """How a call stands."""
        return await self.drive(flows.looked(self.link, id_of(outcome), wait))

    async def wait(self, outcome: Outcome, timeout: float = 300.0) -> Outcome:
        """Goes on with a call that is pending or in doubt, for at most so many seconds."""
        return outcome if settled(outcome) else cast("Outcome", await later_of(outcome, self.link)(timeout))

    async def reconcile(self, outcome: Outcome, timeout: float = 30.0) -> Outcome:
        """Tells what is known of a call in doubt, and waits for what the gate finds."""
        return await self.wait(outcome, timeout)

    async def cancel(self, outcome: Outcome | str) -> Outcome:
        """Withdraws a call that waits."""
        path = f"/v1/invocations/{quote(id_of(outcome), safe='')}/cancel"
        return parsed(await self.drive(flows.fetched(path, "POST")))

    async def tools(self) -> list[dict[str, Any]]:
        """The tools that this key may reach."""
        return list((await self.drive(flows.fetched("/v1/tools")))["items"])

    async def register(self) -> Mapping[str, Any] | None:
        """Tells the gate of the defined tools now, rather than before the first call."""
        return await self.drive(self.introduced())

    @overload
    def tool(self, function: Callable[P, R], /) -> GuardedTool[P, R]: ...
    @overload
    def tool(self, /, **stated: Unpack[Stated]) -> Callable[[Callable[P, R]], GuardedTool[P, R]]: ...
    def tool(self, function: Callable[..., Any] | None = None, /, **stated: Any) -> Any:
        """Puts a function of this program behind the gate. See `GuardedTool`."""
        return decorated(self, function, stated)

    async def drive(self, flow: Flow[T]) -> T:
        """Performs a flow to its end."""
        found: Any = None
        try:
            while True:
                found = await self.perform(flow.send(found))
        except StopIteration as ended:
            return cast("T", ended.value)

    async def perform(self, step: Step) -> Any:
        if isinstance(step, Send):
            return await self.send(step)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds if self.transport is None else 0)
        try:
            value = step.function(**step.arguments)
            return Ran(await value if inspect.isawaitable(value) else value)
        except BaseException as error:  # What was raised decides what is reported; it is raised again then.
            return Raised(error)

    async def send(self, step: Send) -> Reply | Lost:
        try:
            async with self.http.stream(step.method, step.path, **parts(step)) as answer:
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += bounded(body, chunk)
        except httpx.TransportError as error:
            return Lost(error)
        return reply(answer, bytes(body))

    async def aclose(self) -> None:
        """Closes the connections of the running loop."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


# ── Requests and answers


def unrunnable(**_: Any) -> Any:
    raise RuntimeError("this call is run by somebody else: acquire it again once it is approved")


def address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"`{url}` is no address of a gate: `TOOLGATE_URL` is like `{URL_DEFAULT}`")
    return url.rstrip("/")


def paired(kind: type[Any], other: Client) -> Any:
    """The other client with the same settings, and the same tools known."""
    made = kind(
        other.url, other.key, source=other.source, transport=other.transport, clock=other.clock, **other.defaults
    )
    made.definitions, made.known = other.definitions, other.known
    return made


def parts(step: Send) -> dict[str, Any]:
    headers = {"Idempotency-Key": step.key} if step.key else {}
    if step.body is None:
        return {"headers": headers, "timeout": step.timeout}
    content = json.dumps(step.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return {"headers": {**headers, "Content-Type": "application/json"}, "content": content, "timeout": step.timeout}


def bounded(body: bytearray, chunk: bytes) -> bytes:
    if len(body) + len(chunk) > BODY_BYTES_MAX:
        raise httpx.ReadError(f"the gate's answer is longer than {BODY_BYTES_MAX} bytes")
    return chunk


def reply(answer: httpx.Response, body: bytes) -> Reply | Lost:
    try:
        found = json.loads(body)
    except ValueError as error:
        if 200 <= answer.status_code < 300:
            return Lost(error)
        found = {"detail": body[:200].decode(errors="replace")}
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isdigit() else None
    return Reply(answer.status_code, found if isinstance(found, dict) else {"items": found}, seconds)


def as_json(arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    return cast("dict[str, Any]", jsonable(arguments or {}))


def id_of(outcome: Outcome | str) -> str:
    return outcome if isinstance(outcome, str) else outcome.invocation_id


def settled(outcome: Outcome) -> bool:
    return not hasattr(outcome, "later")


def later_of(outcome: Outcome, link: flows.Link) -> Callable[[float], Any]:
    later = getattr(outcome, "later", None)
    return later if later is not None else flows.followed(link, outcome.invocation_id)
