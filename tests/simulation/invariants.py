"""Invariants: what must hold of the record, the book and the venue, whatever went wrong in between."""

from decimal import Decimal
from typing import Any

from core.events import AccountNotice
from core.exchanges.identity import client_id
from core.money import ZERO
from core.trading.orders import Bracket, Grid, Ladder, Limit, Order, OrderStatus, Side
from core.trading.portfolio import Fill, fold
from tests.simulation.adapter import twice
from tests.simulation.product import LIMITS
from tests.simulation.venue import Held
from tests.simulation.world import PRICES, World

MINUTE = 60_000
LEEWAY = Decimal("1.3")  # the market moves between the check and here
UNSURE = (OrderStatus.RECORDED, OrderStatus.SENDING, OrderStatus.UNKNOWN)


def always(world: World) -> None:
    """What holds at every moment."""
    for name in twice(world.sent):
        world.violated("sent once", f"client id {name[:8]} was sent more than once")
    for name, held in _ours(world).items():
        if len(held) > 1:
            world.violated("sent once", f"the venue has {len(held)} orders under client id {name[:8]}")
    recorded = {client_id(order_id, world.venue.name) for order_id in world.disk.orders}
    for each in world.sent:
        if each.client_id not in recorded:
            world.violated("written first", f"{each.request.id} was sent and is not in the record")
    _halted(world)
    _limits(world)
    life = world.life
    if life is not None and life.ready:
        for account in world.accounts:
            for ledger in life.engine.book.ledgers(account):
                for asset in ("USDT", "BTC", "ETH"):
                    bound = life.engine.book.reserved(account, ledger, asset)
                    if bound < 0:
                        world.violated("reservations", f"{account}/{ledger} reserves {bound} {asset}")


def _halted(world: World) -> None:
    """After panic, or disarming, was acknowledged, nothing that opens a position leaves until that is lifted."""
    for rule, since in (("panic", world.halted), ("disarmed", world.disarmed)):
        for account, before in since.items():
            for each in world.sent[before:]:
                if each.request.account == account and each.request.side is Side.BUY:
                    world.violated(rule, f"{each.request.id} was sent after that")


def _limits(world: World) -> None:
    """No order that opens a position is larger than the user's limit, and no more of them leave in a minute."""
    times: dict[str, list[int]] = {}
    for each in world.sent:
        request = each.request
        if request.side is not Side.BUY:
            continue
        price = request.type.price if isinstance(request.type, Limit) else PRICES[request.instrument]
        notional = request.spend or (request.quantity or ZERO) * price
        if notional > (LIMITS.order_notional or ZERO) * LEEWAY:
            world.violated("limits", f"{request.id} is worth {notional}")
        if request.parent is None:
            times.setdefault(request.account, []).append(each.at)
    most = LIMITS.orders_per_minute or 0
    for account, at in times.items():
        for first, last in zip(at, at[most:], strict=False):
            if last - first < MINUTE:
                world.violated("limits", f"{account} sent more than {most} orders in a minute")


def _told(world: World, account: str) -> None:
    """Whoever trades by hand elsewhere is told that it was seen."""
    elsewhere = [held for held in world.venue.orders.values() if held.account == account and held.request is None]
    told = [text for text in notices(world, account) if "outside of this product" in text]
    if any(held.trades for held in elsewhere) and not told:
        world.violated("told", f"{account} was not told of what was traded elsewhere")


async def settled(world: World, engine: Any) -> None:
    """What holds when the faults are over and everybody has had time."""
    for account in world.accounts:
        _orders(world, account)
        _fills(world, account)
        _balances(world, account)
        _told(world, account)
        for difference in await engine.book.differences(account):
            world.violated("book = record", difference)


def nothing_bound(world: World, engine: Any) -> None:
    """What holds when every order has been cancelled."""
    for account in world.accounts:
        for order in engine.book.open_orders(account):
            world.violated("cancelled", f"#{order.number} is {order.status.value} after all was cancelled")
        for ledger in engine.book.ledgers(account):
            for asset in ("USDT", "BTC", "ETH"):
                bound = engine.book.reserved(account, ledger, asset)
                if bound != 0:
                    world.violated("reservations", f"{account}/{ledger} still reserves {bound} {asset}")
        for held in world.venue.working(account):
            if held.request is not None:
                world.violated("cancelled", f"{held.id} is still open at the venue")


def notices(world: World, account: str) -> list[str]:
    """What the owner of the account was told."""
    return [event.text for event in world.disk.events if isinstance(event, AccountNotice) and event.account == account]


def _ours(world: World) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    for held in world.venue.orders.values():
        if held.request is not None:
            found.setdefault(held.client_id, []).append(held)
    return found


def _orders(world: World, account: str) -> None:
    """Every recorded order stands where the venue says it stands."""
    ours = _ours(world)
    for order in world.disk.orders.values():
        if order.request.account != account:
            continue
        held = ours.get(client_id(order.id, world.venue.name), [])
        if order.status in UNSURE:
            world.violated("converges", f"#{order.number} is still {order.status.value} ({order.reason})")
        elif _composite(world, order):
            _adds_up(world, order)
        elif not held:
            if order.filled:
                world.violated("none lost", f"#{order.number} is filled, and the venue never had it")
            elif not order.status.final:
                world.violated("none lost", f"#{order.number} is {order.status.value}, and the venue never had it")
        else:
            _agree(world, order, held[0])


def _composite(world: World, order: Order) -> bool:
    return type(order.request.type).__name__ not in world.venue.native


def _adds_up(world: World, order: Order) -> None:
    """A composite order is what its children are; what filled beyond it was undone again, and its owner was told."""
    name = f"#{order.number} {type(order.request.type).__name__}"
    children = [each for each in world.disk.orders.values() if each.request.parent == order.id]
    for child in children:
        if order.status.final and not child.status.final:
            world.violated(
                "composites", f"{name} is {order.status.value} and its child {child.id} {child.status.value}"
            )
    if isinstance(order.request.type, Bracket | Grid | Ladder):
        return  # they trade both ways by design
    same = sum((each.filled for each in children if each.request.side is order.request.side), ZERO)
    back = sum((each.filled for each in children if each.request.side is not order.request.side), ZERO)
    wanted = order.request.quantity
    if order.filled != same - back:
        world.violated("composites", f"{name} is filled {order.filled}, its children {same} and back {back}")
    if wanted is not None and same > wanted:
        if not any(f"#{order.number}" in text for text in notices(world, order.request.account)):
            world.violated("composites", f"{name} filled {same} of {wanted}, and nobody was told")
        if order.status.final and same - back > wanted:
            world.violated("composites", f"{name} filled {same} of {wanted}, and {back} was undone")
        world.count("filled too much, undone")


def _agree(world: World, order: Order, held: Held) -> None:
    name = f"#{order.number} ({held.id})"
    if order.filled != held.filled:
        world.violated("none lost", f"{name} is filled {order.filled} here and {held.filled} at the venue")
    fees = sum((trade.fee for trade in held.trades), ZERO)
    if order.fees != fees:
        world.violated("fees", f"{name} paid {order.fees} here and {fees} at the venue")
    if order.status.final == held.open:
        world.violated("none lost", f"{name} is {order.status.value} here, {held.status.value} at the venue")
    if order.status.final and order.status is not held.status:
        world.violated("none lost", f"{name} is {order.status.value} here, {held.status.value} at the venue")


def _fills(world: World, account: str) -> None:
    """The journal has every trade of the venue once, to the last digit."""
    truth = {
        f"{world.venue.name}:{trade.id}": (
            trade.price,
            trade.quantity,
            trade.fee,
            held.side,
            trade.fee_asset,
            trade.fee_amount,
        )
        for held in world.venue.orders.values()
        if held.account == account
        for trade in held.trades
    }
    journal: dict[str, tuple[Any, ...]] = {}
    for _, entry in world.disk.journal:
        if isinstance(entry, Fill) and entry.account == account:
            if entry.id in journal:
                world.violated("fills", f"{entry.id} is in the journal twice")
            journal[entry.id] = (
                entry.price, entry.quantity, entry.fee, entry.side, entry.fee_asset, entry.fee_amount,
            )  # fmt: skip
    for name in sorted(truth.keys() | journal.keys()):
        if truth.get(name) != journal.get(name):
            world.violated("fills", f"{name}: the venue has {truth.get(name)}, the journal {journal.get(name)}")


def _balances(world: World, account: str) -> None:
    """Cash and positions are the sum of the journal and the venue's truth, to the last digit."""
    entries = [entry for _, entry in world.disk.journal if entry.account == account]
    folded = {asset: amount for asset, amount in fold(entries).balances.items() if amount != ZERO}
    if folded != (truth := world.truth(account)):
        world.violated("balances", f"{account}: the journal gives {_plain(folded)}, the venue holds {_plain(truth)}")


def _plain(balances: dict[str, Decimal]) -> str:
    return ", ".join(f"{amount} {asset}" for asset, amount in sorted(balances.items())) or "nothing"
