"""One destination's sync: plan → guard → push → read back → ledger. Safe to die anywhere and to run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from activation.comparison import Subject
from activation.desired import read_desired
from activation.destination import CUSTOMER_KEY, MEMBERS_SCHEMA, Action, Configured, Destination, Holdings, load_destination
from activation.guard import ApprovalNeeded, Circumstances, judge, wrong_target
from activation.ledger import Ledger
from activation.plan import Plan, make_plan
from activation.settlement import correct_beliefs, note_contacts, note_ledger_position, rest_in_words, write_syncs
from regulars import clock
from regulars.errors import GuardStopped, TryAgain
from regulars.file_lock import FileLock
from regulars.home import Home
from regulars.run import Kind, Run, refuse_when_overtaken, step
from regulars.state import home_key
from regulars.warehouse.workspace import Workspace


class SyncIncomplete(TryAgain):
    """After the push, the destination does not hold what the night says; pushing again sends the rest."""


def plan_destination(home: Home, as_of: date, kind: Kind, name: str, secrets: Mapping[str, str] | None = None) -> None:
    """Plan what would change at the destination `name`, and let the guard judge it. Writes nothing there.

    Args:
        secrets: such as the API key, where the caller has them; else they come from the environment.

    Raises:
        ApprovalNeeded: the plan looks like an accident.
        GuardStopped: the destination is not the one that the configuration names.
        ConfigurationError, InputError, TryAgain: see the message.
    """
    with step(home, f"plan {name}", kind, as_of) as run:
        with _open_sync(run, name, secrets, with_rows=False) as sync:
            plan = sync.plan()
            sync.clear(plan)
            sync.keep(plan)
        note_ledger_position(run, Ledger(run.state, name))
        run.summary = "nothing changes" if plan.is_empty else f"{plan.in_words()} (plan {plan.sha256[:12]})"


def push_destination(home: Home, as_of: date, kind: Kind, name: str, secrets: Mapping[str, str] | None = None) -> None:
    """Bring the lists of the night to the destination `name`.

    Permissions and what the tool holds are read anew, so that the plan is the one of this moment, and the guard judges it
    again. Pushing the same night again sends only what differs. A night earlier than one that has been sent is no night any
    more: see `regulars.run.open_run`.

    Raises:
        GuardStopped: see `plan_destination`; nothing was sent.
        SyncIncomplete: the destination does not hold everything; the message names the rest.
        ConfigurationError, InputError, TryAgain: see the message.
    """
    with step(home, f"push {name}", kind, as_of) as run, _open_sync(run, name, secrets, with_rows=True) as sync:
        plan = sync.plan(with_rows=True)
        sync.clear(plan)
        note_contacts(run)
        run.summary = sync.push(plan)


@contextmanager
def _open_sync(run: Run, name: str, secrets: Mapping[str, str] | None, *, with_rows: bool) -> Iterator[_Sync]:
    latest = run.state.latest_sent()
    if latest is not None and run.as_of < latest:
        raise GuardStopped(f"{name}: nothing was sent, because the night of {run.as_of} is past: that of {latest} has been sent")
    configured = load_destination(run.home, name)
    lock = FileLock(run.home.state.parent / f"{name}.lock", purpose=f"the destination {name}")
    with lock, Workspace(run.home, name) as workspace:
        destination = configured.connect(run.home, secrets)
        try:
            yield _Sync(run, configured, destination, workspace, with_rows=with_rows)
        finally:
            destination.close()


class _Sync:
    """One attempt to bring one night to one destination: its lists, and those whose segment is gone and that are to be emptied.

    Only a plan that is pushed needs all that the lists show.
    """

    def __init__(self, run: Run, configured: Configured, destination: Destination, workspace: Workspace, *, with_rows: bool):
        self._run = run
        self._configured = configured
        self._destination = destination
        self._workspace = workspace
        self._ledger = Ledger(run.state, configured.name)
        self._replaces_lists = destination.capabilities.replaces_lists
        by_customer = destination.capabilities.contact_key == CUSTOMER_KEY
        self._desired = read_desired(
            run.home,
            run.as_of,
            workspace,
            self._ledger.sent_before(run.as_of),
            with_addresses=not by_customer,
            wanted=None if with_rows else {"value_at_risk", *configured.settings.mapped_fields().values()},
        )
        with run.state.transaction() as connection:
            self._stranger_key = home_key(connection, "strangers")
        self._target = destination.target()
        present = configured.lists(run.home)
        self._lists = present + self._ledger.retired_lists(present, are_replaced=self._replaces_lists)

    def plan(self, *, with_rows: bool = False) -> Plan:
        """The plan of this moment, from a fresh read of the destination; only one that is pushed needs the rows of its lists."""
        settings = self._configured.settings
        subject = Subject(
            name=self._configured.name,
            capabilities=self._destination.capabilities,
            target=self._target,
            lists=self._lists,
            fields=settings.mapped_fields(),
            list_cap=settings.list_cap,
            creates_contacts=self._destination.creates_contacts,
            stranger_key=self._stranger_key,
        )
        self._stop_at_wrong_target()
        holdings = self._destination.read(self._lists)
        if self._replaces_lists and self._ledger.pinned() == self._target:
            holdings = _with_beliefs(holdings, self._ledger.believed(but=holdings.lists))
        memory = self._ledger.memory(self._run.as_of)
        return make_plan(subject, self._desired, holdings, memory, self._workspace, with_rows=with_rows)

    def clear(self, plan: Plan) -> None:
        """Return when the plan may be pushed: it continues a push that began, is approved, or the guard lets it pass."""
        if plan.is_empty or self._continues(plan) or self._ledger.is_approved(plan.sha256, clock.now()):
            return
        latest = self._ledger.latest_sent()
        nights = max((plan.as_of - latest).days, 1) if latest is not None else 1
        circumstances = Circumstances(self._destination.is_own, plan.target, self._ledger.pinned(), nights)
        reasons = judge(plan.figures, circumstances)
        if not reasons:
            return
        self._ledger.store(plan, "stopped")
        why = "\n".join(f"- {reason}" for reason in reasons)
        raise ApprovalNeeded(
            f"{plan.destination}, night of {plan.as_of}: nothing was sent, because {'; '.join(reasons)}. "
            f"The plan: {plan.in_words()}. When that is right, approve it and push within 24 hours:\n"
            f"  python -m activation approve {plan.sha256}\n"
            f"  python -m activation push --as-of {plan.as_of} --destination {plan.destination}",
            plan_sha256=plan.sha256,
            question=f"Nothing was sent, because\n\n{why}\n\n{plan.in_figures()}\n\nThe plan: {plan.in_words()}.\n\n`{plan.sha256}`",
        )

    def keep(self, plan: Plan) -> None:
        """Write a cleared plan down."""
        if not plan.is_empty:
            self._ledger.store(plan, "pushing" if self._continues(plan) else "planned")

    def push(self, plan: Plan) -> str:
        """Push a cleared plan, read back, and settle the accounts; what was done, in words."""
        self._ledger.begin_push(plan)

        def record(action: Action, segment: str, rows: pa.Table, refused: Mapping[str, str]) -> None:
            self._ledger.record(plan, action, segment, rows, refused)
            refuse_when_overtaken(self._run)

        refuse_when_overtaken(self._run)
        written = self._destination.push(plan.changes, record)
        after = self.plan()
        correct_beliefs(self._ledger, plan, after)
        write_syncs(self._run, self._ledger, plan, after)
        if not after.is_empty:
            raise SyncIncomplete(
                f"{plan.destination}, night of {plan.as_of}: read back, the destination still lacks {rest_in_words(after)}; push again"
            )
        self._ledger.end_push(plan)
        return f"{plan.in_words()}; {written}"

    def _continues(self, plan: Plan) -> bool:
        begun = self._ledger.pushing_body(plan.as_of)
        return begun is not None and plan.is_remainder_of(begun)

    def _stop_at_wrong_target(self) -> None:
        wrong = wrong_target(self._destination.pinned(), self._target)
        if wrong:
            raise GuardStopped(
                f"{self._configured.name}: nothing was sent, because the destination is not the one that config/destinations.yml pins: "
                f"{'; '.join(wrong)}. Correct destinations.{self._configured.name} there, or the API key"
            )


def _with_beliefs(holdings: Holdings, lost: pa.Table) -> Holdings:
    """A list that is missing, or that somebody has saved anew, holds for the plan what the ledger says that it was given."""
    members = pa.table([lost["segment"], lost["customer_id"], pa.nulls(lost.num_rows, pa.string())], schema=MEMBERS_SCHEMA)
    lists = holdings.lists | frozenset(pc.unique(lost["segment"]).to_pylist())
    return Holdings(lists, pa.concat_tables([holdings.members, members]), holdings.contacts)
