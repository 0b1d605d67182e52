"""From type hints to JSON Schema, and from judged arguments back to the function's own types."""

import dataclasses
import datetime
import enum
import inspect
import typing
import unittest
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

from toolgate import Unsupported
from toolgate.schema import DEPTH_MAX, Parameters, described, jsonable, revived, same
from toolgate.testing import FakeGate


class Color(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Money:
    """An amount."""

    amount: int
    currency: str = "usd"


@dataclasses.dataclass
class Order:
    """With another inside."""

    total: Money
    notes: list[str] = dataclasses.field(default_factory=list)


class Address(TypedDict):
    """A mapping."""

    city: str


class Node(TypedDict):
    """Contains itself."""

    children: "list[Node]"


CLOSED = {"additionalProperties": False}
MONEY = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}},
    "required": ["amount"],
    **CLOSED,
}
SCHEMAS = [
    (str, {"type": "string"}),
    (bool, {"type": "boolean"}),
    (Any, {}),
    (dict, {"type": "object"}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
    ),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
    (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}),
    (Annotated[int, "in cents"], {"type": "integer", "description": "in cents"}),
    (Color, {"enum": ["red", "blue"]}),
    (Money, MONEY),
    (Address, {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], **CLOSED}),
    (datetime.date, {"type": "string", "format": "date"}),
]
REVIVED = [
    (Color, "red", Color.RED),
    (Order, {"total": {"amount": 5}, "notes": ["x"]}, Order(Money(5), ["x"])),
    (Optional[Money], {"amount": 5}, Money(5)),
    (Optional[Money], None, None),
    (list[Money], [{"amount": 5, "currency": "eur"}], [Money(5, "eur")]),
    (dict[str, Color], {"a": "blue"}, {"a": Color.BLUE}),
    (datetime.datetime, "2026-01-02T03:04:05Z", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)),
    (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
    (Annotated[int, "x"], 5, 5),
]


class Schemas(unittest.TestCase):
    """Types as schemas."""

    def test_types(self):
        for hint, expected in SCHEMAS:
            with self.subTest(str(hint)):
                self.assertEqual(described(hint, "it"), expected)

    def test_what_cannot_be_described_names_its_place(self):
        def of(hint):
            def tool(thing):
                """Takes it."""

            tool.__annotations__ = {"thing": hint}
            return tool

        for hint, words in (
            (set, "`set`"),
            (complex, "`complex`"),
            (dict[int, str], "keys"),
            (Node, f"{DEPTH_MAX} types deep"),
            (typing.Callable[[], int], "cannot be described"),
        ):
            with self.subTest(str(hint)), self.assertRaises(Unsupported) as raised:
                Parameters(of(hint))
            self.assertIn("`thing`", str(raised.exception))
            self.assertIn(words, str(raised.exception))

    def test_parameters_that_cannot_be_judged(self):
        def many(*things: str):
            """Any number."""

        def bare(thing):
            """Without a type."""

        def nameless(thing: str, /):
            """Without a name."""

        for function, word in ((many, "any number"), (bare, "annotate it"), (nameless, "remove the `/`")):
            with self.subTest(word), self.assertRaises(Unsupported) as raised:
                Parameters(function)
            self.assertIn(word, str(raised.exception))

    def test_hidden_parameters_are_not_told(self):
        fake = FakeGate()
        fake.allow("app.*")

        @fake.client().tool(hidden=("database",))
        def look(charge: str, database: object) -> str:
            """Looks."""
            return f"{charge} in {database}"

        self.assertEqual(look("ch_1", database="the books"), "ch_1 in the books")
        [told] = [body["arguments"] for _, path, body in fake.requests if path == "/v1/invocations"]
        self.assertEqual(told, {"charge": "ch_1"})
        self.assertEqual(list(look.definition.input_schema["properties"]), ["charge"])


class Values(unittest.TestCase):
    """Values to JSON and back."""

    def test_revived(self):
        for hint, value, expected in REVIVED:
            with self.subTest(str(hint)):
                self.assertEqual(revived(hint, value), expected)

    def test_there_and_back(self):
        for value in (Order(Money(5), ["x"]), Money(1)):
            self.assertEqual(revived(type(value), jsonable(value)), value)

    def test_same_is_of_json(self):
        for one, other, expected in (
            (1, 1.0, True),
            (1, True, False),
            ([1, {"a": 2}], [1, {"a": 2}], True),
            ({"a": 1}, {"a": True}, False),
            ("1", 1, False),
            (None, None, True),
            ([1], [1, 2], False),
        ):
            with self.subTest(f"{one} {other}"):
                self.assertIs(same(one, other), expected)

    def test_the_function_gets_its_own_types_also_where_a_rule_changed_them(self):
        fake = FakeGate()
        got = []

        @fake.client().tool
        def pay(money: Money, color: Color = Color.RED) -> str:
            """Pays."""
            got.append((money, color))
            return "paid"

        fake.allow("app.pay")
        given = Money(5)
        pay(given)
        fake.sanitize("app.pay", money={"amount": 4, "currency": "usd"})
        pay(given)
        self.assertEqual(got, [(Money(5), Color.RED), (Money(4), Color.RED)])
        self.assertIs(got[0][0], given)


class Signatures(unittest.TestCase):
    """What frameworks read of a function stays."""

    def test_kept(self):
        def refund(charge: str, amount: Annotated[int, "in cents"] = 5) -> str:
            """Pays money back.

            With a second paragraph.
            """
            return charge

        guarded = FakeGate().client().tool(risk="high")(refund)
        self.assertEqual(inspect.signature(guarded), inspect.signature(refund))
        self.assertEqual((guarded.__name__, guarded.__doc__), ("refund", refund.__doc__))
        self.assertEqual(typing.get_type_hints(guarded), typing.get_type_hints(refund))
        self.assertEqual(guarded.definition.risk, "high")
        self.assertTrue(guarded.definition.description.startswith("Pays money back.\n\nWith a second"))
        self.assertFalse(inspect.iscoroutinefunction(guarded))


if __name__ == "__main__":
    unittest.main()
