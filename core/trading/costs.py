"""Costs: what trading really costs, with honest defaults; the only source of fees and fill assumptions."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

from core.errors import InvalidInput

SlippageModel = Literal["fixed", "volume_share", "spread"]


@dataclass(frozen=True, slots=True)
class Costs:
    """Fees and fill assumptions of one account at one venue. Every rate is a fraction of notional.

    taker_fee, maker_fee: 0.001 is 10 bp
    slippage: for `fixed`, the fraction a market or stop fill is moved against the trader; for `spread`, the full
        spread as a fraction (half is paid); for `volume_share`, the impact coefficient of
        slippage * sqrt(quantity / bar volume)
    volume_share: the largest share of a bar's volume one account may take; the rest of the order carries over
    latency: whole bars between the decision and the first bar on which the order may fill, beyond the next one
    fill_on_touch: a limit order fills when its price is merely touched (optimistic; off by default)
    leverage: of perpetuals: an exposure of 1 is a position of this many times the equity
    maintenance_margin: of the notional of perpetuals and shorts; equity below it is liquidated
    liquidation_fee: of the notional that is closed by force, beside the taker fee
    borrow_rate: per year, on what a spot short has borrowed
    funding_rate: per 8 hours (00:00, 08:00, 16:00 UTC), paid by longs to shorts of perpetuals where no history is given
    """

    taker_fee: float = 0.001
    maker_fee: float = 0.001
    slippage: float = 0.0005
    slippage_model: SlippageModel = "fixed"
    volume_share: float = 0.25
    latency: int = 0
    fill_on_touch: bool = False
    leverage: float = 1.0
    maintenance_margin: float = 0.005
    liquidation_fee: float = 0.005
    borrow_rate: float = 0.0
    funding_rate: float = 0.0001

    def __post_init__(self) -> None:
        for name, low, high in (
            ("taker_fee", -0.01, 0.2), ("maker_fee", -0.01, 0.2), ("slippage", 0.0, 0.5), ("volume_share", 1e-9, 1.0),
            ("maintenance_margin", 0.0, 0.5), ("liquidation_fee", 0.0, 0.2), ("borrow_rate", 0.0, 10.0),
            ("funding_rate", -0.05, 0.05),
        ):  # fmt: skip
            value = _number(name, getattr(self, name), "0.001 is 10 basis points")
            if not low <= value <= high:
                raise InvalidInput(f"{name} {value} is outside {low} to {high} (a fraction: 0.001 is 10 basis points).")
        _number("latency", self.latency, "whole bars")
        _number("leverage", self.leverage, "1 is none")
        if not (0 <= self.latency <= 10_000 and self.latency % 1 == 0):
            raise InvalidInput(f"latency {self.latency} is not a whole number of bars from 0 to 10,000.")
        if not 1.0 <= self.leverage <= 200.0:
            raise InvalidInput(f"leverage {self.leverage} is outside 1 to 200.")
        if self.maintenance_margin * self.leverage >= 1.0:
            raise InvalidInput(
                f"maintenance_margin {self.maintenance_margin} is not below 1 / leverage = {1.0 / self.leverage:g}, so"
                " that a full position would be liquidated at once."
            )
        if self.slippage_model not in ("fixed", "volume_share", "spread"):
            raise InvalidInput(f"Slippage model '{self.slippage_model}' is unknown; use fixed, volume_share or spread.")

    def scaled(self, factor: float) -> "Costs":
        """The same costs with fees and slippage multiplied, for cost-sensitivity tables."""
        return replace(
            self,
            taker_fee=self.taker_fee * factor,
            maker_fee=self.maker_fee * factor,
            slippage=self.slippage * factor,
        )


def _number(name: str, value: object, like: str) -> float:
    """The value, if it is a number. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInput(f"{name} {value!r} is not a number ({like}).")
    return float(value)


FREE = Costs(taker_fee=0.0, maker_fee=0.0, slippage=0.0, volume_share=1.0)
