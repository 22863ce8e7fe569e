"""Audit: whether the parts of the record say the same. Reads only, and needs no running engine."""

from collections import defaultdict
from decimal import Decimal

from core.engine.ports import TradingStore
from core.money import ZERO, decimal_of, plain
from core.simulation.account import SimulatedAccount
from core.trading.costs import Costs
from core.trading.portfolio import Portfolio

EVERYTHING = 10**9
HAIR = Decimal("1e-6")  # quote or base; a ledger's floats end this near to the journal's decimals


async def discrepancies(store: TradingStore) -> tuple[list[str], int]:
    """(where the record contradicts itself, as sentences; how many ledgers were looked at).

    Every simulated ledger holds the fold of its entries in the journal; every order has filled what its fills say.
    """
    found: list[str] = []
    filled: dict[str, Decimal] = defaultdict(lambda: ZERO)
    folded: dict[tuple[str, str], Portfolio] = {}
    for account in await store.accounts():
        for entry in await store.entries(account.account):
            key = (entry.account, entry.ledger)
            folded[key] = folded.get(key, Portfolio()).apply(entry)
        for fill in await store.fills(account.account, EVERYTHING):  # of earlier epochs, too
            filled[fill.order] += fill.quantity
        orders = await store.orders(account.account)
        parents = {order.request.parent for order in orders}
        for order in orders:
            if order.id not in parents and filled[order.id] != order.filled:  # a parent's fills are its children's
                found.append(
                    f"order #{order.number} of {account.account} is filled by {plain(order.filled)}, "
                    f"and its fills add up to {plain(filled[order.id])}"
                )
    kept = await store.ledgers()
    for ledger in kept:
        simulated = SimulatedAccount.restored(dict(ledger.state), ledger.instruments, Costs())
        truth = folded.get((ledger.account, ledger.ledger), Portfolio())
        held = {each.base: decimal_of(simulated.position(i)) for i, each in enumerate(ledger.instruments)}
        quote = ledger.instruments[0].quote if ledger.instruments else next(iter(truth.balances), "USDT")
        for asset, amount in {**held, quote: decimal_of(simulated.cash)}.items():
            if abs(amount - truth.balances.get(asset, ZERO)) > HAIR:
                found.append(
                    f"ledger {ledger.ledger} of {ledger.account} holds {plain(amount)} {asset}, "
                    f"and its journal gives {plain(truth.balances.get(asset, ZERO))}"
                )
    return found, len(kept)
