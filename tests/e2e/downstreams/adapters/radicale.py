"""Radicale as tools: an event is made only where there is none of its name (`If-None-Match: *`).

`event_put` with a name that is taken is refused by Radicale itself (412): a request that comes
twice makes one event.
"""

import base64
import re

from adapter import Refused, downstream, main, tool

CALENDAR = "/gate/events/"
USER = {"Authorization": "Basic " + base64.b64encode(b"gate:").decode()}


@tool("event_put", uid="string", summary="string", required=["summary"])
def event_put(call):
    """Makes an event in the calendar, if there is none of this uid yet."""
    if not call.arguments.get("uid"):
        raise Refused("400 an event needs a `uid`")
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//calendar//EN", "BEGIN:VEVENT", f"UID:{call['uid']}",
        "DTSTAMP:20260101T000000Z", "DTSTART:20260102T100000Z", f"SUMMARY:{call['summary']}",
        "END:VEVENT", "END:VCALENDAR", "",
    ]
    headers = {**USER, "If-None-Match": "*", "Content-Type": "text/calendar"}
    downstream.done("PUT", f"{CALENDAR}{call['uid']}.ics", "\r\n".join(lines), headers)
    return {"uid": call["uid"]}


@tool("event_find", reads=True, uid="string")
def event_find(call):
    """Lists the events of this uid: one or none."""
    status, text = downstream.ask("GET", f"{CALENDAR}{call['uid']}.ics", headers=USER)
    if status == 404:
        return {"data": []}
    if status != 200:
        raise Refused(f"{status} {text[:200]}")
    found = re.search(r"^SUMMARY:(.*?)\r?$", text, re.MULTILINE)
    return {"data": [{"uid": call["uid"], "summary": found.group(1) if found else ""}]}


main()
