"""Orders of several orders, as people ask for them."""

import pytest

from tests.dialog.conftest import Room

Dialog = list[tuple[str, tuple[str, ...]]]

DIALOGS: dict[str, Dialog] = {
    "one cancels the other": [
        ("buy 0.02 btc", ("Buy",)),
        ("yes", ("Bought",)),
        (
            "oco sell 0.01 btc target=200000 stop=20000",
            (
                "PAPER",
                "at 200,000.00, or if the price falls to 20,000.00",
                "Stop: rests at the venue",
                "Limit: watched",
            ),
        ),
        ("yes", ("Order 2 is placed", "1 order of it rests at the venue now")),
        ("orders", ("sell 0.01 BTC", "└ sell 0.01 BTC", "if the price falls to 20,000.00")),
        ("sell 0.02 btc", ("0.01 BTC is free",)),
        ("cancel 2", ("Cancelled order 2",)),
        ("orders", ("No open orders",)),
        ("oco sell 0.01 btc target 10k stop 20k", ("The target 10,000 must lie above the market",)),
        ("oco sell 0.01 btc stop=20000", ("needs one target",)),
        ("oco sell btc target=200000 stop=20000", ("How much BTC",)),
    ],
    "a trailing stop": [
        ("buy 0.02 btc", ("Buy",)),
        ("yes", ("Bought",)),
        ("trail sell 0.01 btc by=3% from=200000", ("trailing stop of 3.0 % from 200,000.00 on", "until it is active")),
        ("yes", ("is placed",)),
        ("orders", ("by a trailing stop of 3.0 % from 200,000.00 on",)),
        ("trail sell 0.01 btc by=500", ("trailing stop of 500", "Stop: rests at the venue")),
        ("yes", ("is placed",)),
        ("cancel all orders", ("Cancelled 2 orders",)),
        ("trail sell 0.01 btc by=100%", ("not between 0 and 1",)),
    ],
    "slices": [
        ("twap buy 0.01 btc over=2h slices=12", ("in 12 slices over 2 h", "placed by this process")),
        ("yes", ("rder 1 is",)),
        ("orders", ("in 12 slices over 2 h",)),
        ("cancel 1", ("Cancelled order 1",)),
        ("twap buy 0.01 btc over=soon", ("not a length of time", "30m")),
        ("twap buy 0.001 btc over=2h slices=500", ("A slice would be", "Take at most")),
        ("twap buy 0.01 btc over=10s slices=12", ("less than 2 seconds apart",)),
        ("vwap buy 0.01 btc over=2h slices=4", ("like the market's volume",)),
        ("iceberg buy 0.02 btc price=20000 visible=0.005", ("0.005 BTC of it visible", "one part at a time")),
        ("yes all", ("is placed",)),
    ],
    "a ladder and a grid": [
        ("ladder buy btc prices=20k;18k;16k spend=900 stop=10k", ("in 3 parts from 20,000.00", "Stop: rests")),
        ("yes", ("3 orders of it rest at the venue",)),
        ("cancel 1", ("Cancelled order 1",)),
        ("ladder buy 0.1 btc prices=20k;18k stop=19k", ("The stop 19,000 must lie below the lowest price",)),
        ("grid btc low=20000 high=200000 levels=10 spend=1000", ("10 levels from 20,000.00", "20,000.00 apart")),
        ("yes", ("rest at the venue now",)),
        ("orders", ("on a grid of 10 levels", "└ buy")),
        ("cancel all", ("Cancelled 1 order",)),
        ("orders", ("No open orders",)),
        ("grid btc low=20000 high=21000 levels=10 spend=1000", ("outside of the grid",)),
        ("grid btc low=20000 high=200000 levels=100 spend=50", ("A level would be",)),
    ],
    "a bracket and a stop-limit": [
        ("bracket 0.01 btc price=20000 stop=15000 target=40000", ("at 20,000.00", "Stop: rests at the venue")),
        ("yes", ("placed",)),
        ("bracket 0.01 btc", ("needs a stop, a target or a trail",)),
        ("stoplimit sell 0.01 btc stop=200000 price=201000", ("must lie below the market",)),
        ("help oco", ("what is reached first cancels the other", "target", "stop")),
    ],
}


@pytest.mark.parametrize("name", DIALOGS)
async def test_a_dialog_goes_as_written(room: Room, name: str) -> None:
    for line, expected in DIALOGS[name]:
        answer = await room.says(line)
        for words in expected:
            assert words in answer, f"{line!r} answered {answer!r}"
