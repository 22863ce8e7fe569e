"""Notifications: what happened becomes a message to each chat of the person it concerns, kept until it was sent."""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from core import wording
from core.accounts import UserService
from core.bus import Bus
from core.clock import Clock, to_ms
from core.engine.views import Run
from core.events import AccountNotice, AlertFired, DurableEvent, FillRecorded, OrderChanged, StrategyChanged
from core.exchanges.ledgers import ENDINGS, REACHED
from core.market.instrument import parse_key
from core.reply import Block, Facts, Reply, Text
from core.store.deliveries import Delivery, SqlDeliveries
from core.store.registry import concerns
from core.store.trading import SqlTradingStore
from core.trading.orders import Bracket, Limit, Market, Order, OrderStatus, Stop, StopLimit, TrailingStop
from core.trading.portfolio import Fill
from core.trading.purses import owner_of, title_of, venue_of

LATE = timedelta(hours=24)
KEPT = timedelta(days=30)  # how long what was sent is remembered
FIRST_WAIT, LONGEST_WAIT = 2.0, 600.0  # seconds before a repetition
LOOK_AGAIN = 30.0
SCREEN = "screen"  # the surface under which is kept what waits for any console or page of a person
SCREENS = ("console", "web")  # surfaces that are looked at; the others are written to
SHOWN_WITHIN = 5.0  # seconds; a screen that takes longer is no longer looked at
ENDED = frozenset(text for name, text in ENDINGS.items() if name != "nothing_to_do")  # not by anybody's wish
OFTEN = frozenset(ENDINGS[name] for name in ("below_minimum", "position_closed", "not_immediate"))
MOST = 50  # missed notices that are shown at once


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """An open console or page."""

    user: str
    surface: str
    show: Callable[[Reply], Awaitable[bool]]


@dataclass(slots=True)
class Act:
    """A line of somebody that is or was answered; what it causes is told in its answer. began, ended: ms"""

    user: str
    surface: str
    external_id: str
    began: int
    ended: int | None = None

    def covers(self, time: int) -> bool:
        return self.began <= time and (self.ended is None or time <= self.ended)


class Notifier:
    """Writes deliveries for durable events; each surface takes its own, at its own pace.

    A surface's loop: `await wait(name)`, then for each of `await claim(name)`: send it, then `sent` or `failed`.
    A screen is opened and closed: it is shown at once what happens, and at its opening what nobody has seen yet.
    """

    def __init__(
        self, deliveries: SqlDeliveries, users: UserService, trading: SqlTradingStore, clock: Clock, bus: Bus,
        surfaces: Sequence[str],
    ) -> None:  # fmt: skip
        self._deliveries, self._users, self._trading, self._clock = deliveries, users, trading, clock
        self._surfaces = frozenset(surfaces)
        self._woken: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._recovered: set[str] = set()
        self._screens: dict[str, list[Screen]] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # one showing at a time per person: in order
        self._acts: deque[Act] = deque(maxlen=500)
        self._told: deque[str] = deque(maxlen=500)  # events shown without being kept: the outbox delivers at least once
        self._log = structlog.get_logger("notify")
        kinds = (AlertFired, FillRecorded, OrderChanged, StrategyChanged, AccountNotice)
        self._unsubscribe = [bus.subscribe(kind, self.on_event) for kind in kinds]

    async def stop(self) -> None:
        """Listens no longer; what waits stays for the next start."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    async def on_event(self, event: DurableEvent) -> None:
        """Writes the deliveries of an event. The same event twice writes them once."""
        reply = await self.compose(event)
        if reply is None:
            return
        user, act = owner_of(concerns(event)), await self._act_of(event)
        identities = [(who.surface, who.external_id) for who in await self._users.identities(user)]
        recipients = [who for who in identities if who[0] in self._surfaces]
        if act is not None:
            recipients = [who for who in recipients if who != (act.surface, act.external_id)]
        seen = act is not None and act.surface in SCREENS
        if not seen:
            recipients.append((SCREEN, user))
        if recipients and await self._deliveries.add(event.id, recipients, reply, event.time):
            for surface, _ in recipients:
                self._woken[surface].set()
        if not seen:
            await self._tell(user)
        elif act is not None and event.id not in self._told:
            self._told.append(event.id)
            await self._show(user, reply, but=act.surface)

    async def compose(self, event: DurableEvent) -> Reply | None:
        """What to tell about the event; None when its owner has seen it happen or need not know."""
        match event:
            case AlertFired():
                return alert_text(event)
            case FillRecorded():
                order = await self._trading.order(event.fill.order)
                if order is not None and answered(order, event.fill):
                    return None
                return fill_text(event, order, await self._trading.run(event.fill.ledger))
            case OrderChanged() if event.status.final and event.reason in ENDED:
                order = await self._trading.order(event.order)
                return None if order is None else ending_text(event, order, await self._trading.run(event.ledger))
            case StrategyChanged():
                return strategy_text(event)
            case AccountNotice():
                live = "" if venue_of(event.account) is None else f" {title_of(event.account)}."
                return [Text(f"{event.text}{live}", "warning")]
            case _:
                return None

    # -- for screens -----------------------------------------------------------------------------------------------

    async def open(self, user: str, surface: str, show: Callable[[Reply], Awaitable[bool]]) -> Callable[[], None]:
        """Shows what happened while no screen of the user was open, and from now on what happens.

        show: False when nobody can see it any more; the returned call closes the screen
        """
        screen = Screen(user, surface, show)
        async with self._turns[user]:
            missed = await self._deliveries.waiting(SCREEN, user)
            if missed:
                blocks = [block for delivery in missed[-MOST:] for block in self._marked(delivery).reply]
                of = f" (the last {MOST} of {len(missed)} messages)" if len(missed) > MOST else ""
                if not await self._seen(screen, [Text(f"While you were away{of}:"), *blocks]):
                    return partial(self._close, screen)
                await self._deliveries.seen([delivery.id for delivery in missed])
            self._screens.setdefault(user, []).append(screen)
        return partial(self._close, screen)

    def _close(self, screen: Screen) -> None:
        left = [one for one in self._screens.get(screen.user, ()) if one is not screen]
        if left:
            self._screens[screen.user] = left
        else:
            self._screens.pop(screen.user, None)

    @contextlib.contextmanager
    def acting(self, user: str, surface: str, external_id: str) -> Iterator[None]:
        """While a line of the user is answered: the answer tells what it does, so no notice repeats that there."""
        act = Act(user, surface, external_id, self._clock.now_ms())
        self._acts.append(act)
        try:
            yield
        finally:
            act.ended = self._clock.now_ms()

    async def _act_of(self, event: DurableEvent) -> Act | None:
        """The line that caused the event; None for what happened by itself."""
        match event:
            case StrategyChanged(state="stopped", reason=None):
                pass
            case AccountNotice() if event.id.startswith("reset:"):
                pass
            case FillRecorded():
                run = await self._trading.run(event.fill.ledger)
                if run is None or run.state != "stopped":
                    return None
            case _:
                return None
        user, time = owner_of(concerns(event)), to_ms(event.time)
        return next((act for act in reversed(self._acts) if act.user == user and act.covers(time)), None)

    async def _tell(self, user: str) -> None:
        """Shows what waits on every open screen of the user; without one it goes on waiting."""
        if user not in self._screens:
            return
        async with self._turns[user]:
            for delivery in await self._deliveries.waiting(SCREEN, user):
                if not await self._show(user, self._marked(delivery).reply):
                    return
                await self._deliveries.seen([delivery.id])

    async def _show(self, user: str, reply: Reply, but: str = "") -> bool:
        screens = [screen for screen in self._screens.get(user, ()) if screen.surface != but]
        return any(await asyncio.gather(*(self._seen(screen, reply) for screen in screens)))

    async def _seen(self, screen: Screen, reply: Reply) -> bool:
        try:
            async with asyncio.timeout(SHOWN_WITHIN):
                seen = await screen.show(reply)
        except Exception as failed:  # the outermost frame of a screen: its trouble must not keep the event
            self._log.warning("a screen was lost", surface=screen.surface, reason=type(failed).__name__)
            seen = False
        if not seen:
            self._close(screen)
        return seen

    # -- for surfaces ----------------------------------------------------------------------------------------------

    async def wait(self, surface: str, seconds: float = LOOK_AGAIN) -> None:
        """Returns when something new may be claimed, at the latest after `seconds`."""
        due = await self._deliveries.next_due(surface)
        if due is not None:
            seconds = min(seconds, max(0.0, (due - self._clock.now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken[surface].wait(), seconds)
        self._woken[surface].clear()

    async def pending(self, surface: str) -> list[Delivery]:
        """All that this surface has not sent yet."""
        return await self._deliveries.pending(surface)

    async def claim(self, surface: str, limit: int = 20) -> list[Delivery]:
        """The next delivery of each recipient, to be sent now and reported by `sent` or `failed`.

        Late ones, and ones of which an earlier attempt may have arrived, say so in their text.
        """
        if surface not in self._recovered:
            self._recovered.add(surface)
            if found := await self._deliveries.recover(surface):
                self._log.warning("deliveries were under way when the process ended", surface=surface, count=found)
        return [self._marked(delivery) for delivery in await self._deliveries.claim(surface, limit)]

    async def sent(self, delivery: int) -> None:
        """It arrived; the recipient's next one may go."""
        await self._deliveries.end(delivery, "sent")

    async def failed(
        self, delivery: int, error: str, *, unknown: bool = False, retry_after: float | None = None,
        permanent: bool = False,
    ) -> None:  # fmt: skip
        """It did not arrive, or nobody knows (unknown). permanent: it never will (the person blocked the bot)."""
        if permanent:
            self._log.warning("delivery dropped", delivery=delivery, error=error)
            await self._deliveries.end(delivery, "dropped", error[:500])
            return
        attempts = await self._deliveries.attempts(delivery)
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** max(0, attempts - 1)) if retry_after is None else retry_after
        await self._deliveries.retry(delivery, self._clock.now() + timedelta(seconds=wait), error, unknown)

    async def clean(self) -> int:
        """Forgets old deliveries; how many."""
        return await self._deliveries.clean(self._clock.now() - KEPT, unseen=SCREEN)

    def _marked(self, delivery: Delivery) -> Delivery:
        notes: list[Block] = []
        if self._clock.now() - delivery.created > LATE:
            notes.append(Text(f"Late: this happened on {delivery.created:%Y-%m-%d at %H:%M} UTC.", "warning"))
        if delivery.uncertain:
            notes.append(Text("Repeated: it is not certain that this message reached you before."))
        if not notes:
            return delivery
        return replace(delivery, reply=(*notes, *delivery.reply))


def answered(order: Order, fill: Fill) -> bool:
    """Whether the fill was part of the answer to a person's own order: at the market, or at a limit met at once.

    A limit order that is met when it is placed takes; one that had to wait makes.
    """
    request = order.request
    if request.ledger != "manual" or request.parent is not None:
        return False
    entry = request.type.entry if isinstance(request.type, Bracket) else request.type
    at_once = isinstance(entry, Market) or (isinstance(entry, Limit) and not fill.maker)
    return at_once and fill.side is request.side


def alert_text(event: AlertFired) -> Reply:
    """BTC/USDT is above 70000, at 70012.5."""
    _, base, quote = parse_key(event.instrument)
    label = " (SIMULATED)" if event.simulated else ""
    return [
        Text(
            f"Alert {event.alert}: {base}/{quote} is {event.condition} {wording.grouped(event.threshold)}, "
            f"at {wording.grouped(event.price)} {quote}{label}.",
            "warning",
        )
    ]


def fill_text(event: FillRecorded, order: Order | None = None, run: Run | None = None) -> Reply:
    """What was bought or sold, at what price, and by whom: an order that had to wait, or a strategy."""
    fill = event.fill
    venue, base, quote = parse_key(fill.instrument)
    verb = "Bought" if fill.side.sign > 0 else "Sold"
    grid = order.request.instrument if order is not None else None
    facts = (
        ("Price", f"{wording.price(fill.price, grid)} {quote}"),
        ("Total", wording.money(fill.notional, quote)),
        ("Fee", wording.money(fill.fee, quote)),
        ("By", f"order {event.number}" + (f" of strategy {run.number}, {run.strategy}" if run else "")),
        ("Account", wording.badge(title_of(event.account), venue == "sandbox")),
    )
    title = f"{verb} {wording.quantity(fill.quantity, base)}"
    why = None if order is None else reached(order, run)
    return [Facts(f"{title} — {why}" if why else title, facts)]


def reached(order: Order, run: Run | None = None) -> str | None:
    """'your stop at 61,546.11 was reached', of an order that waited for a price to protect coins; None of others."""
    instrument = order.request.instrument
    match order.request.type:
        case Stop(level) | StopLimit(level):
            what = f"stop at {wording.price(level, instrument)}"
        case TrailingStop(fraction):
            what = "trailing stop" if fraction is None else f"trailing stop of {wording.rate(fraction)}"
        case Limit(level) if order.reason == REACHED["target"]:
            what = f"target at {wording.price(level, instrument)}"
        case _:
            return None
    if run is None:
        return f"your {what} was reached"
    return f"the {what} of strategy {run.number}, {run.strategy}, was reached"


def ending_text(event: OrderChanged, order: Order, run: Run | None = None) -> Reply | None:
    """That an order ended without its owner's wish, and why; None where an answer or the next decision tells it."""
    request = order.request
    if request.parent is not None:
        return None  # the order it belongs to goes on, or tells its own end
    entry = request.type.entry if isinstance(request.type, Bracket) else request.type
    if event.reason in OFTEN if run else isinstance(entry, Market):
        return None
    size = wording.quantity(request.quantity or request.estimate, request.instrument.base)
    by = f" of strategy {run.number}, {run.strategy}," if run else ""
    part = f" after {wording.quantity(order.filled, request.instrument.base)}" if order.filled else ""
    badge = wording.badge(title_of(event.account), request.instrument.venue == "sandbox")
    ended = "has expired" if event.status is OrderStatus.EXPIRED else f"was {event.status.value}"
    text = f"Order {event.number}{by} to {request.side} {size} {ended}{part}: {event.reason} {badge}."
    return [Text(text, "warning")]


def strategy_text(event: StrategyChanged) -> Reply | None:
    """That a strategy ended, and why; nothing about one that its owner has just started."""
    if event.state == "started":
        return None
    why = f": {event.reason}" if event.reason else "."
    symbol = event.instrument.partition(":")[2] or event.instrument
    return [
        Text(f"Strategy {event.strategy} on {symbol} {event.state}{why}", "bad" if event.state == "failed" else "plain")
    ]
