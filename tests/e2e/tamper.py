"""Whoever changes the store is found: a flipped byte, a dropped, an inserted, a moved record.

The gate runs, writes records and signs them, and ends. Each test changes one copy of its data
folder with plain SQL and asks `toolgate audit verify` about the copy.
"""

import hashlib
import json
import shutil
import sqlite3
import subprocess

from kit import TOOLGATE, Desk, Gate, check, clean_environment, desk_source, equal, folder, stage, test

POLICY = {"name": "desk", "rules": [{"rule_id": "ok", "when": "tool == desk.get_charge", "effect": "allow"}]}


def configure(_options):
    """Nothing to configure."""


class Stage:
    """A data folder with records and checkpoints, whose gate has ended."""

    def __init__(self):
        self.home = folder("tamper")
        desk = Desk(self.home)
        try:
            gate = Gate(desk_source("desk", desk), {"desk.json": POLICY}, self.home).opened()
            agent = gate.agent("helper", "--tool", "desk.get_charge")
            gate.wait_tools(agent, "desk.get_charge")
            for charge in ("ch_1", "ch_2", "ch_3", "ch_9"):
                gate.invoke(agent, "desk.get_charge", {"charge": charge})
                gate.invoke(agent, "desk.refund", {})
            gate.cli("audit", "checkpoint")
            gate.stop()
        finally:
            desk.stop()
        self.data = gate.data
        self.copies = 0

    def verify(self, data):
        command = [str(TOOLGATE), "audit", "verify", "--data", str(data), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=60)
        check(done.stdout.strip(), f"it said nothing: {done.returncode} {done.stderr}")
        return done.returncode, json.loads(done.stdout), done.stdout

    def changed(self, *statements):
        """The verdict on a copy in which these statements ran."""
        self.copies += 1
        copy = self.home / f"copy-{self.copies}"
        shutil.copytree(self.data, copy)
        with sqlite3.connect(copy / "toolgate.db") as database:
            for statement, *values in statements:
                count = database.execute(statement, values).rowcount
                check(count != 0, f"`{statement}` changed nothing")
        database.close()
        return self.verify(copy)

    def records(self):
        database = sqlite3.connect(self.data / "toolgate.db")
        try:
            return database.execute("SELECT idx, bytes, leaf FROM records ORDER BY idx").fetchall()
        finally:
            database.close()


on = stage(Stage)


def leaf(text):
    """The RFC 6962 hash of a leaf."""
    return hashlib.sha256(b"\0" + text.encode()).digest()


def found(verdict, place, what):
    """It is unsound, by exit code and by report, and the report names this record."""
    code, report, text = verdict
    check(code != 0, f"{what}: the exit code is 0: {text}")
    check(report.get("sound") is False, f"{what}: the report calls it sound: {text}")
    ranges = [item for item in report["findings"] if item["severity"] == "error" and "from" in item]
    named = any(item["from"] <= place <= item["to"] for item in ranges)
    check(named, f"{what}: record {place} is not named: {text}")


@test("the log as it is verifies, and every record is confirmed by a signed checkpoint")
def as_it_is():
    code, report, text = on().verify(on().data)
    equal((code, report["sound"], report["errors"]), (0, True, 0), text)
    equal(report["records"], len(on().records()), "records")
    check(report["size_confirmed"] > 8, f"too little is confirmed: {text}")


@test("each record's leaf is the RFC 6962 hash of its bytes")
def leaves():
    for index, text, stored in on().records():
        equal(bytes(stored), leaf(text), f"the leaf of record {index}")


@test("a flipped byte is found, at its record")
def flipped():
    for place in (0, 5):
        text = on().records()[place][1]
        middle = len(text) // 2
        other = "x" if text[middle] != "x" else "y"
        changed = text[:middle] + other + text[middle + 1:]
        found(on().changed(("UPDATE records SET bytes = ? WHERE idx = ?", changed, place)), place, f"byte {middle}")


@test("a flipped byte with its leaf made to fit is found by the signed checkpoint")
def flipped_with_leaf():
    place, text = next((index, text) for index, text, _ in on().records() if "desk.refund" in text)
    changed = text.replace("desk.refund", "desk.rebate", 1)
    verdict = on().changed(("UPDATE records SET bytes = ?, leaf = ? WHERE idx = ?", changed, leaf(changed), place))
    found(verdict, place, "a rewritten record")


@test("a dropped record is found, in the middle and at the end")
def dropped():
    last = len(on().records()) - 1
    for place in (4, last):
        found(on().changed(("DELETE FROM records WHERE idx = ?", place)), place, "a dropped record")


@test("a dropped record with the rest moved up is found")
def dropped_and_closed():
    moved = on().changed(
        ("DELETE FROM records WHERE idx = 4",),
        ("UPDATE records SET idx = -idx WHERE idx > 4",),
        ("UPDATE records SET idx = -idx - 1 WHERE idx < 0",),
    )
    found(moved, 4, "a dropped record")


@test("an inserted record is found")
def inserted():
    _, text, _ = on().records()[3]
    inserted = on().changed(
        ("UPDATE records SET idx = -idx - 1 WHERE idx >= 4",),
        ("UPDATE records SET idx = -idx WHERE idx < 0",),
        ("INSERT INTO records (idx, bytes, leaf) VALUES (4, ?, ?)", text, leaf(text)),
    )
    found(inserted, 4, "an inserted record")


@test("two records that changed places are found")
def reordered():
    (_, one, first), (_, two, second) = on().records()[2:4]
    swapped = on().changed(
        ("UPDATE records SET bytes = ?, leaf = ? WHERE idx = 2", two, second),
        ("UPDATE records SET bytes = ?, leaf = ? WHERE idx = 3", one, first),
    )
    found(swapped, 2, "moved records")
    found(swapped, 3, "moved records")
