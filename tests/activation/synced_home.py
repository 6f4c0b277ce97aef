"""A home after a first night that a tool of our own has taken in: made once, and copied for every test that goes on from there."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from activation_home import ActivationHome, Night, address_of, customers

from activation.sync import plan_destination, push_destination
from regulars.errors import GuardStopped
from tests.referees.mailchimp import Audience, Server, running

MAILCHIMP = """
mailchimp:
  type: mailchimp
  account_id: acc0123456789
  audience_id: a1b2c3d4e5
  audience_name: Newsletter
  base_url: {url}
"""


@dataclass(frozen=True)
class SyncedHome:
    shop: ActivationHome
    audience: Audience

    @classmethod
    def after(cls, folder: Path, as_of: date, night: Night, contacts: int) -> SyncedHome:
        """The night of a home that has never sent, approved by a person, with so many contacts in the tool."""
        audience = Audience()
        for one in customers(contacts):
            audience.add(address_of(one))
        with running(audience) as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("MAILCHIMP_API_KEY", audience.api_key)
            shop = ActivationHome(folder / "home", MAILCHIMP.format(url=server.url))
            shop.night(as_of, night)
            with pytest.raises(GuardStopped):
                plan_destination(shop.home, as_of, "night", "mailchimp")
            shop.approve()
            plan_destination(shop.home, as_of, "night", "mailchimp")
            push_destination(shop.home, as_of, "night", "mailchimp")
            shop.end_night(as_of)
        return cls(shop, audience)

    def copied(self, folder: Path, server: Server) -> ActivationHome:
        """A home of the test's own; the server's audience holds what the tool held."""
        vars(server.audience).update(vars(copy.deepcopy(self.audience)))
        shop = self.shop.copied(folder)
        shop.configure(MAILCHIMP.format(url=server.url))
        return shop
