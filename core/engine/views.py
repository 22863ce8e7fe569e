"""Views: what the engine shows of orders to be placed, accounts, profit and strategy runs. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from core.market.instrument import Instrument
from core.risk.limits import Check
from core.trading.orders import Mode, OrderRequest

RunState = Literal["running", "stopped", "failed"]
MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do if it were confirmed now.

    price: expected fill price in quote, slippage included; quantity: base; notional, fee: quote
    slippage: fraction of the price
    exposure_after: share of what the whole account is worth that is held in this instrument afterwards
    band_low, band_high: last prices between which the confirmation stays valid
    """

    request: OrderRequest
    mode: Mode
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    slippage: Decimal
    exposure_after: Decimal
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    band_low: Decimal = Decimal(0)
    band_high: Decimal = Decimal("Infinity")
    simulated: bool = False  # the price comes from the built-in market


class BalanceView(NamedTuple):
    """One asset of an account. value: in the account's currency, None when no price is known."""

    asset: str
    total: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class PositionView:
    """One open position of one ledger. value, unrealised: at `price`, in quote; realised: net of fees."""

    ledger: str
    instrument: Instrument
    quantity: Decimal
    entry_price: Decimal
    price: Decimal
    value: Decimal
    unrealised: Decimal
    realised: Decimal
    stop: Decimal | None = None  # protective prices that watch this position
    target: Decimal | None = None
    trail: Decimal | None = None  # fraction of the best price since entry


@dataclass(frozen=True, slots=True)
class LedgerView:
    """One ledger of an account: its cash, what it is worth, and the run it belongs to (None: trades by hand)."""

    ledger: str
    name: str
    cash: Decimal
    equity: Decimal
    run: str | None = None


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as a whole. cash: free and reserved quote in all ledgers; reserved: bound by open buy orders."""

    mode: Mode
    currency: str
    cash: Decimal
    equity: Decimal
    balances: tuple[BalanceView, ...]
    positions: tuple[PositionView, ...]
    ledgers: tuple[LedgerView, ...]
    reserved: Decimal = Decimal(0)
    simulated: bool = False
    stale: bool = False  # at least one price is old


@dataclass(frozen=True, slots=True)
class ProfitView:
    """Profit since `since` (the last reset when None was asked).

    realised: net of fees; fraction: total over the equity at the beginning; equity_times: UTC ms
    trades: orders that closed a position or a part of one
    """

    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    total: Decimal
    fraction: Decimal
    equity_times: tuple[int, ...]
    equity_values: tuple[float, ...]
    trades: int
    currency: str = "USDT"
    mode: Mode = "PAPER"
    since: datetime | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A strategy that trades, or has traded, an instrument on its own ledger (the run's id).

    anchor, decided: UTC ms opens of the first bar it sees and of the last bar it decided on (0: none yet)
    number: short number shown to people; cash: what it was given; reason: why it ended, a sentence
    memory, labels: what a step strategy keeps from bar to bar, and its words for open orders by their reference
    """

    id: str
    account: str
    number: int
    strategy: str
    parameters: Mapping[str, Any]
    instrument: Instrument
    timeframe: str
    cash: Decimal
    state: RunState
    started: datetime
    stopped: datetime | None = None
    anchor: int = 0
    decided: int = 0
    reason: str | None = None
    source: str = ""  # registry name or path.py:Class it is loaded from
    returned: Decimal | None = None  # cash given back when it stopped
    memory: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a panic stop did on one account. cancelled: order numbers; stopped: runs; positions: what is still held

    left: numbers of orders that may still be open there; trouble: why the account could not be cleared, a sentence
    """

    account: str
    cancelled: tuple[int, ...]
    left: tuple[int, ...] = ()
    stopped: tuple[str, ...] = ()
    positions: tuple[PositionView, ...] = ()
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Panic:
    """What a panic stop did, account by account. unwritten: why the switch could not be recorded; it holds even so

    elsewhere: sentences about venues there are keys for, at which this product never traded
    """

    accounts: tuple[Stopped, ...]
    unwritten: str | None = None
    elsewhere: tuple[str, ...] = ()

    @property
    def cancelled(self) -> tuple[int, ...]:
        return tuple(number for each in self.accounts for number in each.cancelled)

    @property
    def stopped(self) -> tuple[str, ...]:
        return tuple(run for each in self.accounts for run in each.stopped)

    @property
    def positions(self) -> tuple[PositionView, ...]:
        return tuple(position for each in self.accounts for position in each.positions)


__all__ = [
    "MANUAL", "AccountView", "BalanceView", "Check", "LedgerView", "Panic", "PositionView", "Preview", "ProfitView",
    "Run", "RunState", "Stopped",
]  # fmt: skip
