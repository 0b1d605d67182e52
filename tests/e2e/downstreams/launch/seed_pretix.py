"""Run inside pretix: an organizer, an event, paid orders of 50.00, and a token for the API."""

import datetime
import decimal
import json
import os

from django.utils.timezone import now
from django_scopes import scopes_disabled
from pretix.base.models import Event, Order, Organizer, Team, TeamAPIToken

with scopes_disabled():
    organizer = Organizer.objects.create(name="Gate", slug="gate")
    event = Event.objects.create(
        organizer=organizer, name="Fair", slug="fair", currency="EUR", date_from=now(), live=True
    )
    rights = {"all_events": True, "all_event_permissions": True, "all_organizer_permissions": True}
    team = Team.objects.create(organizer=organizer, name="API", **rights)
    token = TeamAPIToken.objects.create(team=team, name="gate")
    for number in range(int(os.environ["SEED_ORDERS"])):
        Order.objects.create(
            event=event,
            code=f"G{number:04}",
            status=Order.STATUS_PAID,
            email="ana@acme.com",
            datetime=now(),
            expires=now() + datetime.timedelta(days=30),
            total=decimal.Decimal("50.00"),
            sales_channel=organizer.sales_channels.get(identifier="web"),
            locale="en",
        )
    print(json.dumps({"token": token.token}))
