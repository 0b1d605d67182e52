"""The fake gate does what the list asks of any gate, and writes down what it was asked."""

import json
import pathlib
import tempfile
import unittest

import conformance_list

from toolgate.testing import FakeGate


class Fake:
    """A world around the fake gate."""

    def __init__(self) -> None:
        self.fake = FakeGate()
        self.fake.allow("app.allowed")
        self.fake.allow("app.read")
        self.fake.deny("app.denied")
        self.fake.freeze("app.frozen")
        self.fake.allow("app.slow")
        self.fake.sanitize("app.cleaned", note="[note]")
        self.fake.withhold("app.withheld", lambda data: {**data, "iban": "[iban]"})
        self.gate = self.fake.client()

    def approve(self, outcome):
        self.fake.approve(outcome)

    def reject(self, outcome, reason):
        self.fake.reject(outcome, reason)

    def outlive(self):
        self.fake.expire(list(self.fake.invocations)[-1])


class FakeConforms(unittest.TestCase):
    """Every case of the list."""

    def test_all(self):
        for case in conformance_list.CASES:
            with self.subTest(case.__name__):
                case(Fake())


class Records(unittest.TestCase):
    """`record` writes cases for `toolgate test`."""

    def test_cases(self):
        world = Fake()
        tools = conformance_list.Tools(world)
        tools.cleaned("call me at 555")
        tools.denied("ch_1")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "seen.test.json"
            world.fake.record(path)
            written = json.loads(path.read_text())
        self.assertEqual(
            [(test["call"], test["expect"]) for test in written["tests"]],
            [
                ({"tool": "app.cleaned", "arguments": {"note": "call me at 555"}}, "sanitize"),
                ({"tool": "app.denied", "arguments": {"charge": "ch_1"}}, "deny"),
            ],
        )
        self.assertIn("app.denied", [tool["id"] for tool in written["tools"]])


if __name__ == "__main__":
    unittest.main()
