"""A function behind the gate: how a call of it becomes a flow, and a flow's end its answer.

    @gate.tool(risk="high", resource="customer:{args.customer}")
    def refund(customer: str, amount: int) -> str: ...

It keeps its name, signature, docstring and kind, so that frameworks still read its schema. Must not
know how a flow is performed: the client that decorates hands itself in.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from .calls import Options
from .definition import Definition, Effect, Risk, Verb, description_of
from .errors import UnknownEffect
from .flows import Flow, Guarded, Tool
from .outcomes import Failure, Indeterminate, Outcome, Success
from .schema import Parameters, jsonable

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    from .client import AsyncToolgate, Toolgate

    class Stated(TypedDict, total=False):
        """What the author of a tool states of it."""

        name: str
        description: str
        resource: str
        risk: Risk
        verb: Verb
        effect: Effect
        timeout_ms: int
        category: str
        version: str
        attributes: Mapping[str, str]
        hidden: Collection[str]
        reconcile: Callable[..., Any]


P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class GuardedTool(Protocol[P, R_co]):
    """A function behind the gate: called like before, with its outcome at hand.

    Called, it returns what the gate left of the function's answer. What did not run is returned as
    its outcome; what may have happened and is not known raises `UnknownEffect`.
    """

    __name__: str
    definition: Definition
    outcome: Callable[..., Any]
    """The same call, answered by its outcome whatever it is (awaitable if the function is)."""
    ended: Callable[..., Any]
    """The same call, answered by a `Guarded`: the outcome beside the function's own value. For adapters."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


def decorated(gate: Any, function: Callable[..., Any] | None, stated: dict[str, Any]) -> Any:
    if function is None:
        return lambda found: decorated(gate, found, stated)
    look, parameters, definition = stated.pop("reconcile", None), *defined(function, stated)
    own: Any = gate
    if inspect.iscoroutinefunction(function) != gate.awaits:
        own = gate.twin
        gate.define(definition)
    prepare = Preparation(own, function, parameters, Tool(definition, own.define(definition), function, look))
    return (awaited if own.awaits else blocked)(prepare)


def defined(function: Callable[..., Any], stated: dict[str, Any]) -> tuple[Parameters, Definition]:
    parameters = Parameters(function, stated.pop("hidden", ()))
    told: dict[str, Any] = {"name": function.__name__, "description": description_of(function), **stated}
    return parameters, Definition(**told, input_schema=parameters.schema)


class Preparation:
    """One decorated function: how a call of it becomes a flow, and a flow's end its answer."""

    def __init__(self, gate: Any, function: Callable[..., Any], parameters: Parameters, tool: Tool) -> None:
        self.gate, self.function, self.parameters, self.tool = gate, function, parameters, tool

    def flow(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Flow[Guarded]:
        given, hidden = self.parameters.bound(args, kwargs)

        def run(**judged: Any) -> Any:
            return self.function(**self.parameters.revived(judged, given), **hidden)

        # Its author's look takes the same arguments as the function.
        tool = Tool(self.tool.definition, self.tool.id, run, self.tool.look)
        return cast("Flow[Guarded]", self.gate.guarding(self.gate.link, tool, jsonable(given), options))


def blocked(prepare: Preparation) -> Any:
    gate = cast("Toolgate", prepare.gate)

    @functools.wraps(prepare.function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return answer(ended(*args, **kwargs))

    def outcome(*args: Any, **kwargs: Any) -> Outcome:
        return told(ended(*args, **kwargs))

    def ended(*args: Any, **kwargs: Any) -> Guarded:
        return gate.drive(prepare.flow(args, kwargs, {}))

    return marked(guarded, prepare, outcome, ended)


def awaited(prepare: Preparation) -> Any:
    gate = cast("AsyncToolgate", prepare.gate)

    @functools.wraps(prepare.function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        return answer(await ended(*args, **kwargs))

    async def outcome(*args: Any, **kwargs: Any) -> Outcome:
        return told(await ended(*args, **kwargs))

    async def ended(*args: Any, **kwargs: Any) -> Guarded:
        return await gate.drive(prepare.flow(args, kwargs, {}))

    return marked(guarded, prepare, outcome, ended)


def marked(guarded: Any, prepare: Preparation, outcome: Callable[..., Any], ended: Callable[..., Any]) -> Any:
    guarded.definition, guarded.parameters = prepare.tool.definition, prepare.parameters
    guarded.outcome, guarded.ended = outcome, ended
    return guarded


def is_guarded(function: Any) -> bool:
    """Whether a function is behind the gate already."""
    return isinstance(getattr(function, "definition", None), Definition)


def answer(guarded: Guarded) -> Any:
    """What a decorated function gives: the answer, the outcome of what did not run, or what was raised."""
    outcome, error = guarded.outcome, guarded.error
    if isinstance(outcome, Success):
        return guarded.value if error is None and guarded.value is not None else outcome.data
    stopped = error is not None and not isinstance(error, Exception)
    if error is not None and (stopped or isinstance(outcome, Failure)):
        raise error
    if isinstance(outcome, Indeterminate):
        raise UnknownEffect(outcome) from error
    return outcome


def told(guarded: Guarded) -> Outcome:
    """The outcome; what stops the program is not swallowed."""
    if guarded.error is not None and not isinstance(guarded.error, Exception):
        raise guarded.error
    return guarded.outcome
