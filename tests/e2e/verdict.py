"""What the gate says of each call, held against what the system itself says happened.

    succeeded        exactly one effect
    needs_operator   at most one
    anything else    none: failed, denied, still waiting for an approver

Calls are told apart by their mark, which is their correlation id on the record. Must not know:
which system it was, or which faults there were.
"""

import collections
import datetime
import statistics

LAST_WORDS = {"succeeded", "failed", "denied", "rejected", "expired", "cancelled"}


class Verdict:
    """One system's effects by mark beside the record: `violations` is empty where both agree."""

    def __init__(self, effects, statuses, records, envelopes):
        self.effects, self.statuses, self.envelopes = effects, statuses, envelopes
        self.by_invocation = collections.defaultdict(list)
        self.by_mark = collections.defaultdict(set)
        for record in records:
            if record.get("invocation"):
                self.by_invocation[record["invocation"]].append(record)
                self.by_mark[record["correlation"]].add(record["invocation"])
        self.violations = [*self.calls_that_differ(), *self.strangers(), *self.broken_words()]

    def status(self, invocation):
        # What was denied is on the record and nowhere else.
        return self.statuses.get(invocation, "denied")

    def calls_that_differ(self):
        """Calls whose effects are not as many as what the gate says of them allows."""
        self.double = self.missing = self.unwanted = 0
        for mark, invocations in self.by_mark.items():
            said = sorted(map(self.status, invocations))
            count, least = self.effects[mark], said.count("succeeded")
            most = least + said.count("needs_operator")
            # A denial claims no key, so a caller who was killed off before it heard of one is denied anew.
            let_through = len(said) - said.count("denied")
            if least <= count <= most and let_through <= 1:
                continue
            self.double += count > max(most, 1)
            self.missing += count < least
            self.unwanted += most == 0 and count > 0
            yield f"{mark}: {count} effects, and the gate says {', '.join(said)} ({', '.join(sorted(invocations))})"

    def strangers(self):
        """Effects of which the gate has no record, and answered calls that left none."""
        yield from (f"{mark}: an effect without a record" for mark in self.effects if mark not in self.by_mark)
        yield from (f"{mark}: answered, and not on record" for mark in self.envelopes if mark not in self.by_mark)

    def broken_words(self):
        """What a caller was told for good and the gate does not say any more."""
        for mark, envelope in self.envelopes.items():
            said, now = envelope["status"], self.status(envelope["invocation_id"])
            if said in LAST_WORDS and said != now:
                yield f"{mark}: the caller was told {said}, and it is {now}"

    def blind_retries(self):
        """Invocations that were sent again without a look since their answer was lost."""
        return [invocation for invocation, records in self.by_invocation.items() if is_blind(records)]

    def sent_again(self):
        """How many invocations were sent more than once."""
        return sum(self.count(records, "invocation.admitted") > 1 for records in self.by_invocation.values())

    def reconciled(self):
        """How many were settled as done from live state."""
        return sum(self.count(records, "invocation.succeeded", "reconciled") for records in self.by_invocation.values())

    @staticmethod
    def count(records, kind, flag=None):
        return sum(r["kind"] == kind and (not flag or bool(r["data"].get(flag))) for r in records)

    def settled_in(self):
        """The median time from a lost answer to the end of its call, by the times on the record."""
        took = []
        for invocation, records in self.by_invocation.items():
            lost = [moment(record) for record in records if record["kind"] == "invocation.unknown_effect"]
            if lost and self.status(invocation) in {"succeeded", "failed"}:
                took.append((moment(records[-1]) - lost[0]).total_seconds())
        return statistics.median(took) if took else None

    def states(self):
        """How many invocations ended in which state."""
        return collections.Counter(map(self.status, self.by_invocation))


def is_blind(records):
    looked = True
    for record in records:
        match record["kind"]:
            case "invocation.unknown_effect":
                looked = False
            case "invocation.probed":
                looked = looked or not record["data"]["look"].get("unclear")
            case "invocation.admitted" if not looked:
                return True
    return False


def moment(record):
    return datetime.datetime.fromisoformat(record["at"])


def table(rows):
    """Columns as wide as what stands in them."""
    heads = list(rows[0])
    cells = [heads, *([str(row[head]) for head in heads] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells)
