"""From a function's type hints to the JSON Schema that the gate judges by, and values to JSON and back.

    def refund(charge: str, amount: Annotated[int, "in cents"], reason: Literal["fraud", "other"] = "other"): ...

becomes an object with two required members. Understood: text, numbers, booleans, `None`, lists,
tuples, dicts with text keys, `Optional`, unions, `Literal`, `Annotated` with a text, enums,
`TypedDict`, dataclasses, dates, and models that bring `model_json_schema` (pydantic, which is not
imported for it). What cannot be described is refused when the tool is defined, with its place.
Must not know the gate.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from .errors import Unsupported

DEPTH_MAX = 16
"""LIMIT: how deep types may lie within types; one that contains itself has no end."""

PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
    list: {"type": "array"},
    dict: {"type": "object"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
}
LISTS = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
UNIONS = (typing.Union, types.UnionType)


class Parameters:
    """A function's parameters: their schema, and how judged arguments become its own again."""

    def __init__(self, function: Callable[..., Any], hidden: Collection[str] = ()) -> None:
        self.function = function
        self.signature = inspect.signature(function)
        self.hints = hints_of(function, function)
        self.hidden = frozenset(hidden)
        self.schema = self.described()

    def described(self) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name, parameter in self.signature.parameters.items():
            if name in self.hidden:
                continue
            place = f"the parameter `{name}` of `{named(self.function)}`"
            refuse_kind(parameter, place)
            properties[name] = described(self.hint(name, place), place)
            if parameter.default is inspect.Parameter.empty:
                required.append(name)
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def hint(self, name: str, place: str) -> Any:
        if name not in self.hints:
            raise Unsupported(f"{place} has no type: annotate it, for instance `{name}: str`")
        return self.hints[name]

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments of one call, defaults filled in: those that are judged, and the hidden ones."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        hidden = {name: value for name, value in bound.arguments.items() if name in self.hidden}
        return {name: value for name, value in bound.arguments.items() if name not in hidden}, hidden

    def revived(self, judged: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The judged arguments as the function's own types; one that was left as it was is the one given."""
        return {
            name: given[name] if name in given and same(jsonable(given[name]), value) else self.one(name, value)
            for name, value in judged.items()
        }

    def one(self, name: str, value: Any) -> Any:
        return revived(self.hints.get(name, Any), value)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: Python alone would take `True` for `1`."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def described(hint: Any, place: str, depth: int = 0) -> dict[str, Any]:
    """The JSON Schema of a type."""
    if depth > DEPTH_MAX:
        raise Unsupported(f"{place} contains itself, or lies more than {DEPTH_MAX} types deep: take a `dict`")
    if isinstance(hint, collections.abc.Hashable) and hint in PLAIN:
        return dict(PLAIN[hint])
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is not None:
        return composed(hint, origin, parts, place, depth + 1)
    if isinstance(hint, type):
        return classed(hint, place, depth + 1)
    raise unsupported(hint, place)


def composed(hint: Any, origin: Any, parts: tuple[Any, ...], place: str, depth: int) -> dict[str, Any]:
    if origin is typing.Annotated:
        texts = [part for part in parts[1:] if isinstance(part, str)]
        return {**described(parts[0], place, depth), **({"description": texts[0]} if texts else {})}
    if getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly"):
        return described(parts[0], place, depth)
    if origin is typing.Literal:
        return {"enum": [plain_choice(choice, place) for choice in parts]}
    if origin in UNIONS:
        return {"anyOf": [described(part, place, depth) for part in parts]}
    if origin in LISTS:
        return {"type": "array", "items": described(parts[0], place, depth)}
    if origin is tuple:
        return tupled(parts, place, depth)
    if origin in MAPS:
        if parts[0] is not str:
            raise Unsupported(f"{place} has keys that are no text: JSON has none other; take `dict[str, …]`")
        return {"type": "object", "additionalProperties": described(parts[1], place, depth)}
    raise unsupported(hint, place)


def tupled(parts: tuple[Any, ...], place: str, depth: int) -> dict[str, Any]:
    if len(parts) == 2 and parts[1] is Ellipsis:
        return {"type": "array", "items": described(parts[0], place, depth)}
    items = [described(part, place, depth) for part in parts]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def classed(kind: type[Any], place: str, depth: int) -> dict[str, Any]:
    if issubclass(kind, enum.Enum):
        return {"enum": [plain_choice(choice.value, place) for choice in kind]}
    if typing.is_typeddict(kind):
        required: list[str] = sorted(getattr(kind, "__required_keys__", ()))
        return membered(hints_of(kind, kind), required, place, depth)
    if dataclasses.is_dataclass(kind):
        required = [field.name for field in dataclasses.fields(kind) if field.init and not has_default(field)]
        taken = {field.name for field in dataclasses.fields(kind) if field.init}
        hints = {name: hint for name, hint in hints_of(kind, kind).items() if name in taken}
        return membered(hints, required, place, depth)
    model = getattr(kind, "model_json_schema", None)
    if callable(model):
        return inlined(cast("dict[str, Any]", model()), place)
    raise unsupported(kind, place)


def membered(hints: Mapping[str, Any], required: list[str], place: str, depth: int) -> dict[str, Any]:
    properties = {name: described(hint, f"`{name}` in {place}", depth) for name, hint in hints.items()}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def inlined(schema: dict[str, Any], place: str) -> dict[str, Any]:
    """A model's own schema without `$defs`, because it becomes a part of another."""
    definitions = schema.get("$defs", {})

    def resolved(node: Any, depth: int) -> Any:
        if depth > 4 * DEPTH_MAX:
            raise Unsupported(f"{place} contains itself: take a `dict`")
        if isinstance(node, list):
            return [resolved(item, depth + 1) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(definitions[str(node["$ref"]).rsplit("/", 1)[-1]], depth + 1)
        return {name: resolved(value, depth + 1) for name, value in node.items() if name != "$defs"}

    return cast("dict[str, Any]", resolved(schema, 0))


def jsonable(value: Any, depth: int = 0) -> Any:
    """A value as JSON data.

    Raises `Unsupported` for what has no such form.
    """
    if depth > 4 * DEPTH_MAX:
        raise Unsupported("a value contains itself, or lies too deep to be written as JSON")
    if isinstance(value, enum.Enum):
        return jsonable(value.value, depth + 1)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, collections.abc.Mapping):
        return {str(key): jsonable(member, depth + 1) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item, depth + 1) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: jsonable(getattr(value, field.name), depth + 1) for field in fields}
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return jsonable(dump(mode="json"), depth + 1)
    raise Unsupported(f"a `{type(value).__name__}` has no form in JSON: return data, or text")


def revived(hint: Any, value: Any) -> Any:
    """JSON data as the type that a function expects. What does not fit is handed on as it is."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return revived(parts[0], value)
    if origin in UNIONS:
        candidates = [part for part in parts if part is not type(None)]
        return revived(candidates[0], value) if value is not None and len(candidates) == 1 else value
    if origin in LISTS and isinstance(value, list):
        return [revived(parts[0], item) for item in value]
    if origin in MAPS and isinstance(value, dict):
        return {key: revived(parts[1], item) for key, item in value.items()}
    return made(hint, value) if isinstance(hint, type) else value


def made(kind: type[Any], value: Any) -> Any:
    if isinstance(value, dict) and dataclasses.is_dataclass(kind):
        hints = hints_of(kind, kind)
        return kind(**{name: revived(hints[name], member) for name, member in value.items()})
    if issubclass(kind, enum.Enum):
        return kind(value)
    if isinstance(value, str) and kind in (datetime.datetime, datetime.date):
        # `fromisoformat` knows no `Z` before Python 3.11.
        return cast("type[datetime.datetime]", kind).fromisoformat(value.replace("Z", "+00:00"))
    validate = getattr(kind, "model_validate", None)
    return validate(value) if callable(validate) else value


def plain_choice(choice: Any, place: str) -> Any:
    if choice is None or isinstance(choice, (str, int, bool)):
        return choice
    raise Unsupported(f"{place} may be `{choice!r}`, which has no form in JSON")


def refuse_kind(parameter: inspect.Parameter, place: str) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise Unsupported(f"{place} takes any number of values, which cannot be judged: name each parameter")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise Unsupported(f"{place} has no name to callers: remove the `/`")


def hints_of(thing: Any, owner: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError as error:
        raise Unsupported(
            f"the types of `{named(owner)}` cannot be resolved: {error}; import them at run time"
        ) from error


def has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def named(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", thing))


def unsupported(hint: Any, place: str) -> Unsupported:
    return Unsupported(
        f"{place} is a `{named(hint)}`, which cannot be described to the gate:"
        " take a plain type, a dataclass or a `TypedDict`, or hide the parameter with `hidden=`"
    )
