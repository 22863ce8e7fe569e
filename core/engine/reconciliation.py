"""Reconciliation: what the venue says of a live account, held against the journal, at start and from then on.

What this product ordered and the journal lacks is taken in. What was done elsewhere by hand is journaled, told once,
and never fought. A balance counts as changed when two looks in a row say the same, with nothing under way meanwhile.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import structlog

from core import wording
from core.clock import Clock, to_ms
from core.engine.book import Book
from core.engine.execution import Execution
from core.engine.feed import Feed
from core.engine.live import LiveVenues
from core.engine.naming import QUOTES
from core.engine.outcomes import FAILURES, UNSURE
from core.engine.ports import AccountState, Document, TradingStore
from core.engine.views import MANUAL
from core.errors import AppError, InvalidInput, NotFound, Unavailable
from core.events import AccountNotice
from core.exchanges.record import Change
from core.jobs import end_task
from core.market.instrument import Instrument
from core.money import ZERO
from core.outbox import decode, encode
from core.trading.exchange import ELSEWHERE, Exchange
from core.trading.orders import Limit, Market, Order, OrderStatus, Side, StopLimit, TimeInForce
from core.trading.portfolio import Fill, Transfer
from core.trading.purses import owner_of, venue_of

KIND = "venue"
EVERY = 20.0  # seconds between two looks
AGAIN = 5.0  # seconds before a stream of fills that broke is taken up again
OVERLAP = 600_000  # ms of fills asked for again: venues tell some of them late
MISSES = 3  # looks in a row after which an open order that the venue does not know any more is over
STILL = 5  # how often an account is read for its opening, until nothing was filled meanwhile
TELL = Decimal(1)  # currency; a smaller change of balances is journaled and not told (dust, rounding)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the account at its venue. since: UTC ms from which fills are asked for

    before: fills in that time that the opening balances had counted already; orders: open there, placed elsewhere
    bound: what those bind, by asset
    """

    since: int
    before: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    bound: dict[str, Decimal] = field(default_factory=dict)


class Reconciliation:
    """The live accounts of this process and their venues. tend: what else is done every now and then"""

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        execution: Execution,
        exchange_for: Callable[[str], Exchange],
        live: LiveVenues | None,
        feed: Feed,
        clock: Clock,
        tend: Callable[[], Awaitable[None]],
    ) -> None:
        self._tend = tend
        self._store, self._book, self._execution, self._live = store, book, execution, live
        self._exchange_for, self._feed, self._clock = exchange_for, feed, clock
        self._seen: dict[str, Seen] = {}
        self._pending: dict[str, dict[str, Decimal]] = {}
        self._looked: set[str] = set()  # accounts this process has looked at
        self._misses: dict[str, int] = defaultdict(int)
        self._task: asyncio.Task[None] | None = None
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._log = structlog.get_logger("reconciliation")

    # -- life ---------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Opens the exchanges of the live accounts there are; one without keys stays, and answers nothing."""
        for document in await self._store.documents(KIND):
            self._seen[document.id] = seen = decode(Seen, document.value)
            for instrument in seen.instruments:
                self._book.meet(instrument)
            self._book.bind_elsewhere(document.id, seen.bound)
        for account in self.accounts():
            if self._live is not None:
                try:
                    await self._live.open(account)
                except FAILURES as failed:
                    self._log.warning("a live account is not connected", account=account, exc_info=failed)

    def start(self) -> None:
        """From now on looks every now and then, and takes in fills as the venue tells them."""
        self._task = asyncio.create_task(self._watch(), name="reconciliation")

    async def stop(self) -> None:
        """Ends the looking."""
        await end_task(self._task)
        self._task = None
        for task in self._streams.values():
            await end_task(task)
        self._streams.clear()

    def accounts(self) -> list[str]:
        """The live accounts there are."""
        return [account for account in self._book.accounts() if venue_of(account) is not None]

    async def look_at_all(self) -> None:
        """One look at each account; one that cannot be asked keeps no other."""
        for account in self.accounts():
            try:
                await self.look(account)
            except Exception as failed:  # whatever it is, the others are looked at, and this one again
                self._log.warning("not reconciled", account=account, exc_info=failed)

    async def _watch(self) -> None:
        while True:
            for account in self.accounts():
                if account not in self._streams:
                    name = f"fills of {account}"
                    self._streams[account] = asyncio.create_task(self._listen(account), name=name)
            await self._clock.sleep(EVERY)
            await self.look_at_all()
            try:
                await self._tend()
            except Exception as failed:  # whatever it is, the others are looked at, and this one again
                self._log.warning("live accounts not tended", exc_info=failed)

    async def _listen(self, account: str) -> None:
        while True:
            try:
                async for fill in self._exchange_for(account).fills():
                    if fill.ledger != ELSEWHERE:
                        await self._execution.take(fill)
            except Exception as failed:  # whatever it is, the others are looked at, and this one again
                self._log.info("the stream of fills broke", account=account, reason=str(failed))
            await self._clock.sleep(AGAIN)

    # -- the first look -----------------------------------------------------------------------------------------

    async def adopt(self, account: str) -> AccountState:
        """Opens a live account with what the venue holds for it; coins enter at the price of the moment.

        Raises NotFound without keys, Unavailable when the venue, or a price, cannot be had now.
        """
        if self._live is None:
            raise NotFound("No venue is connected for live trading.", hint="Add a venue's API keys first.")
        exchange = await self._live.open(account)
        since = self._clock.now_ms() - OVERLAP
        for tried in range(STILL):
            if tried:
                await self._clock.sleep(tried)
            before = await exchange.recent_fills(since)
            balances, working = await exchange.balances(), await exchange.open_orders()
            if ids(before) == ids(await exchange.recent_fills(since)):
                break
        else:
            raise Unavailable(
                f"{venue_of(account)} fills orders all the time, so what the account holds cannot be told for sure.",
                hint="Nothing was opened; try again when your orders there rest.",
                account=account,
            )
        now = self._clock.now()
        state = AccountState(account, currency_of(balances), opened=now)
        transfers, met = [], []
        for asset, amount in balances.items():
            if amount:
                transfer, instrument = await self._transfer(account, asset, amount, state.currency, "adopted")
                transfers.append(replace(transfer, time=now))
                met += [] if instrument is None else [instrument]
        seen = Seen(since, tuple(sorted(ids(before))), (), tuple(met), bound_by(working))
        async with self._store.unit() as unit:
            await unit.save_account(state)
            for transfer in transfers:
                await unit.record(transfer)
            await unit.save_document(Document(KIND, account, owner_of(account), encode(seen)))
        self._seen[account] = seen
        for instrument in met:
            self._book.meet(instrument)
        self._book.set_account(state)
        self._book.apply(Change(entries=tuple(transfers)))
        self._book.bind_elsewhere(account, seen.bound)
        return state

    # -- every other look ---------------------------------------------------------------------------------------

    async def look_once(self, account: str) -> None:
        """Looks at an account that this process has not looked at yet."""
        if account not in self._looked:
            await self.look(account)

    async def look(self, account: str) -> bool:
        """One look at the venue. True when it and the journal agree."""
        exchange, book = self._exchange_for(account), self._book
        seen = self._seen.get(account) or Seen(self._clock.now_ms() - OVERLAP)
        version = book.version(account)
        working = await exchange.open_orders()
        fills = await exchange.recent_fills(seen.since)
        balances = await exchange.balances()
        told = await exchange.recent_fills(seen.since)
        self._looked.add(account)
        async with self._execution.turn(account):
            await self._take_in_own(account, exchange, working, told)
            moved = version != book.version(account) or ids(fills) != ids(told)
            unsure = any(order.status in UNSURE for order in book.open_orders(account))
            if moved or unsure:
                return False
            met = await self._take_in_foreign(account, seen, told)
            await self._see_orders(account, seen, working, met)
            return await self._compare(account, balances)

    async def _take_in_own(
        self, account: str, exchange: Exchange, working: Sequence[Order], told: Sequence[Fill]
    ) -> None:
        """Fills of our orders, orders of ours that ended, and such that work although they were given up."""
        fresh: dict[str, list[Fill]] = defaultdict(list)
        for fill in told:
            if fill.ledger != ELSEWHERE and not self._book.knows(account, fill.id):
                fresh[fill.order].append(fill)
        for name, own in fresh.items():
            order = self._book.order(name) or await self._store.order(name)
            if order is not None and order.request.account == account:
                found = order if order.status.final else replace(order, reason=None)
                await self._execution.take_in(order, found, own)
        there = {order.id: order for order in working}
        for order in self._book.open_orders(account):
            if order.status in UNSURE or self._execution.owns(order):
                continue
            shown = there.get(order.id)
            if shown is None:
                await self._ended(account, exchange, order)
            elif shown.filled > order.filled:
                await self._execution.look_up(order)
            if shown is not None:
                self._misses.pop(order.id, None)
        for order in working:
            if order.request.ledger != ELSEWHERE and self._book.order(order.id) is None:
                await self._end_again(exchange, order)

    async def _ended(self, account: str, exchange: Exchange, order: Order) -> None:
        """An open order of ours that the venue does not list: it says what became of it."""
        venue = venue_of(account)
        by_itself = isinstance(order.request.type, Market) or order.request.time_in_force is not TimeInForce.GTC
        by_itself = by_itself or self._execution.unwanted(order.id)  # panic cancelled it, and nobody heard the answer
        reason = None if by_itself else f"It was cancelled at {venue}, not from here."
        after = await self._execution.look_up(order, reason)
        if after.status is OrderStatus.CANCELLED:
            if not by_itself:
                await self._execution.tell_end(after)
        elif not after.status.final and await exchange.find(order.id) is None:
            self._misses[order.id] += 1
            if self._misses[order.id] < MISSES:
                return
            self._misses.pop(order.id)
            gone = replace(after, status=OrderStatus.CANCELLED, reason=f"{venue} does not know it any more.")
            await self._execution.take_in(after, gone, ())
            await self._execution.tell_end(gone)

    async def _end_again(self, exchange: Exchange, working: Order) -> None:
        """An order that is over here works at the venue: it came too late, and nobody counts on it any more."""
        order = await self._store.order(working.id)
        if order is None or not order.status.final or not await exchange.cancel(order.id):
            return
        fills = await exchange.fills_of(order.id)
        after = await self._execution.take_in(order, order, fills)
        await self._execution.tell_end(after, f"Order #{order.number} reached the venue too late and was cancelled.")

    async def _take_in_foreign(self, account: str, seen: Seen, told: Sequence[Fill]) -> list[Instrument]:
        """Fills of orders that were placed elsewhere, into the manual ledger. Returns the instruments that are new."""
        currency = self._book.currency(account)
        taken, met = [], []
        for fill in told:
            foreign = fill.ledger == ELSEWHERE and fill.id not in seen.before
            if not foreign or self._book.knows(account, fill.id) or not fill.instrument.endswith(f"/{currency}"):
                continue
            instrument = await self._instrument(fill.instrument)
            if instrument is not None:
                taken.append(replace(fill, ledger=MANUAL))
                met.append(instrument)
        if taken:
            text = "; ".join(
                f"{'bought' if fill.side is Side.BUY else 'sold'} {wording.quantity(fill.quantity)} "
                f"{fill.instrument.partition(':')[2]} at {wording.price(fill.price)}"
                for fill in taken
            )
            await self._journal(
                account, taken, f"At {venue_of(account)}, outside of this product: {text}.", taken[0].id, met
            )
        return met

    async def _see_orders(self, account: str, seen: Seen, working: Sequence[Order], met: Sequence[Instrument]) -> None:
        """Orders placed elsewhere: told once, and what they bind is not free here."""
        foreign = {order.id: order for order in working if order.request.ledger == ELSEWHERE}
        bound = bound_by(list(foreign.values()))
        self._book.bind_elsewhere(account, bound)
        new = [order for name, order in foreign.items() if name not in seen.orders]
        instruments = tuple(dict.fromkeys([*seen.instruments, *met]))
        since = max(seen.since, self._clock.now_ms() - OVERLAP)
        after = Seen(since, seen.before, tuple(sorted(foreign)), instruments, bound)
        if replace(after, since=seen.since) == seen and since < seen.since + OVERLAP // 2:
            return
        async with self._store.unit() as unit:
            await unit.save_document(Document(KIND, account, owner_of(account), encode(after)))
            for order in new:
                request = order.request
                text = (
                    f"An order was placed at {venue_of(account)} outside of this product: {request.side} "
                    f"{wording.quantity(request.quantity or ZERO)} {request.instrument.symbol}. It is left alone."
                )
                unit.emit(AccountNotice(f"elsewhere:{account}:{order.id}", account, self._clock.now(), text))
        self._seen[account] = after

    async def _compare(self, account: str, balances: dict[str, Decimal]) -> bool:
        """Whether the journal adds up to the balances; what two looks in a row say alike is journaled."""
        here: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for ledger in self._book.ledgers(account):
            for asset, amount in self._book.portfolio(account, ledger).balances.items():
                here[asset] += amount
        found = {asset: balances.get(asset, ZERO) - here[asset] for asset in {*balances, *here}}
        found = {asset: amount for asset, amount in sorted(found.items()) if amount}
        before = self._pending.pop(account, None)
        if not found:
            return True
        if found != before:
            self._pending[account] = found
            return False
        currency, venue = self._book.currency(account), venue_of(account)
        transfers, met = [], []
        for asset, amount in found.items():
            try:
                transfer, instrument = await self._transfer(account, asset, amount, currency, "changed")
            except AppError:  # no price now: a later look journals it
                continue
            transfers.append(transfer)
            met += [] if instrument is None else [instrument]
        told = [each for each in transfers if abs(each.worth(currency)) >= TELL or not each.worth(currency)]
        text = ", ".join(
            f"{'+' if each.amount > 0 else ''}{wording.quantity(each.amount)} {each.asset}" for each in told
        )
        if transfers:
            sentence = f"The balances at {venue} changed outside of this product: {text}." if told else None
            await self._journal(account, transfers, sentence, transfers[0].id, met)
        return False

    # -- inside -------------------------------------------------------------------------------------------------

    async def _journal(
        self, account: str, entries: Sequence[Fill | Transfer], text: str | None, name: str, met: Iterable[Instrument]
    ) -> None:
        seen = self._seen.get(account) or Seen(self._clock.now_ms() - OVERLAP)
        seen = replace(seen, instruments=tuple(dict.fromkeys([*seen.instruments, *met])))
        async with self._store.unit() as unit:
            for entry in entries:
                await unit.record(entry)
            await unit.save_document(Document(KIND, account, owner_of(account), encode(seen)))
            if text is not None:
                unit.emit(AccountNotice(f"elsewhere:{account}:{name}", account, self._clock.now(), text))
        self._seen[account] = seen
        for instrument in seen.instruments:
            self._book.meet(instrument)
        self._book.apply(Change(entries=tuple(entries)))

    async def _transfer(
        self, account: str, asset: str, amount: Decimal, currency: str, why: str
    ) -> tuple[Transfer, Instrument | None]:
        """What came or went, with what it is worth now where the venue trades it. Raises Unavailable."""
        now = self._clock.now()
        note = f"{why} at {venue_of(account)}"
        transfer = Transfer(f"{why}:{account}:{asset}:{to_ms(now)}", account, MANUAL, asset, amount, now, note)
        if asset == currency:
            return transfer, None
        instrument = await self._instrument(f"{venue_of(account)}:{asset}/{currency}")
        if instrument is None:
            return transfer, None
        price = (await self._feed.quote(instrument)).last
        return replace(transfer, instrument=instrument.key, price=price), instrument

    async def _instrument(self, key: str) -> Instrument | None:
        known = self._book.instruments.get(key)
        if known is not None:
            return known
        try:
            return await self._feed.instrument(key)
        except (NotFound, InvalidInput):
            return None


def ids(fills: Iterable[Fill]) -> set[str]:
    """Their ids."""
    return {fill.id for fill in fills}


def currency_of(balances: dict[str, Decimal]) -> str:
    """What a live account is counted in: the money that it holds, by preference."""
    return next((asset for asset in QUOTES[:-1] if balances.get(asset)), QUOTES[0])


def bound_by(working: Iterable[Order]) -> dict[str, Decimal]:
    """What the open orders that were placed elsewhere bind, by asset."""
    bound: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for order in working:
        if order.request.ledger == ELSEWHERE:
            asset, amount = binds(order)
            bound[asset] += amount
    return dict(bound)


def binds(order: Order) -> tuple[str, Decimal]:
    """(asset, amount) that an open order of somebody else binds."""
    request = order.request
    left = max(ZERO, (request.quantity or ZERO) - order.filled)
    if request.side is Side.SELL:
        return request.instrument.base, left
    price = request.type.price if isinstance(request.type, Limit | StopLimit) else ZERO
    return request.instrument.quote, left * price
