"""Who may do what, and what a yes can do: once, in time, by the right person, in the right place."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path

import pytest

from core.commands.context import Caller
from core.errors import Unavailable
from core.events import AlertFired
from core.exchanges.sandbox import SandboxData
from core.reply import Chart, Choices, Confirm, Progress, Text
from tests.dialog.conftest import Room


async def test_a_stranger_learns_an_id_and_how_to_ask_and_nothing_else(room: Room) -> None:
    stranger = await room.caller("telegram", "424242")
    for line in ("help", "price btc", "buy 0.1 btc"):
        answer = await room.says(line, stranger)
        assert "424242" in answer
        assert "allow telegram 424242" in answer
        assert "USDT" not in answer
    assert [each.external_id for each in await room.app.services.users.strangers()] == ["424242"]
    assert "424242" in await room.says("people")


async def test_a_stranger_who_goes_on_is_answered_with_silence(room: Room) -> None:
    stranger = await room.caller("telegram", "424242")
    answers = [await room.reply("hello", stranger) for _ in range(6)]
    assert answers[0]
    assert list(answers[-1]) == []


async def test_a_stranger_cannot_confirm(room: Room) -> None:
    token = await room.token("buy 0.01 btc")
    stranger = await room.caller("telegram", "424242")
    answer = await room.says(f"yes {token}", stranger)
    assert "not allowed" in answer
    assert "You hold no coins" in await room.says("positions")


async def test_the_one_time_code_makes_the_first_person_the_owner(room: Room) -> None:
    code = await room.app.services.users.owner_code()
    assert code
    wrong = await room.says("claim ABCD-EFGH-JKMN", await room.caller("telegram", "1"))
    assert "not right" in wrong
    welcome = await room.says(code.lower(), await room.caller("telegram", "7"))
    assert "You are the owner" in welcome
    assert "role" in (await room.says("whoami", await room.caller("telegram", "7"))).lower()
    again = await room.says(code, await room.caller("telegram", "8"))
    assert "You are the owner" not in again


async def test_a_viewer_may_look_but_not_trade(room: Room) -> None:
    viewer = await room.trader("9", "viewer")
    assert "BTC/USDT" in await room.says("price btc", viewer)
    for line in ("buy 0.01 btc", "sell all my btc", "reset", "panic", "start sma_cross on btc 1h with 100", "cancel 1"):
        assert "role trader" in await room.says(line, viewer), line
    assert "role admin" in await room.says("people", viewer)
    assert "role admin" in await room.says("allow telegram 10 admin", viewer)


async def test_losing_the_role_voids_an_open_preview(room: Room) -> None:
    trader = await room.trader("7")
    token = await room.token("buy 0.01 btc", trader)
    await room.says("allow telegram 7 viewer")
    answer = await room.says(f"yes {token}", await room.caller("telegram", "7"))
    assert "role trader" in answer
    assert "You hold no coins" in await room.says("positions", await room.caller("telegram", "7"))


async def test_someone_shut_out_is_a_stranger_again(room: Room) -> None:
    await room.trader("7")
    assert "not allowed any more" in await room.says("revoke telegram 7")
    assert "allow telegram 7" in await room.says("balance", await room.caller("telegram", "7"))


async def test_people_trade_on_accounts_of_their_own(room: Room) -> None:
    trader = await room.trader("7")
    await room.says("buy 0.01 btc", trader)
    assert "Bought" in await room.says("yes", trader)
    assert "BTC/USDT" in await room.says("positions", trader)
    assert "You hold no coins" in await room.says("positions")


async def test_private_figures_stay_out_of_groups(room: Room) -> None:
    trader = await room.trader("7", chat="group", private=False)
    for line in ("balance", "positions", "how am i doing", "orders", "fills", "buy 0.01 btc", "login", "running"):
        answer = await room.says(line, trader)
        assert "private" in answer, line
        assert "10,000" not in answer, line
    assert "BTC/USDT" in await room.says("price btc", trader)


async def test_a_preview_runs_out_after_a_minute(room: Room) -> None:
    token = await room.token("buy 0.01 btc")
    await room.clock.advance(61)
    assert "ran out" in await room.says("yes")
    late = await room.says(f"yes {token}")
    assert "nothing was done" in late
    assert "buy 0.01 btc" in late
    assert "You hold no coins" in await room.says("positions")


async def test_two_clicks_at_once_make_one_order(room: Room) -> None:
    token = await room.token("buy 0.01 btc")
    answers = await asyncio.gather(*(room.says(f"yes {token}") for _ in range(5)))
    assert sum("Bought 0.01 BTC" in answer for answer in answers) == 1
    assert sum("Already done" in answer for answer in answers) == 4
    owner = await room.app.services.users.owner()
    assert len(await room.app.services.desk.orders(owner.id, open_only=False)) == 1


async def test_a_click_and_a_typed_yes_make_one_order(room: Room) -> None:
    token = await room.token("buy 0.01 btc")
    answers = await asyncio.gather(room.says("yes"), room.says(f"yes {token}"), room.says("yes"))
    assert sum("Bought" in answer for answer in answers) == 1


async def test_a_token_is_worthless_to_others_and_elsewhere(room: Room) -> None:
    first, second = await room.trader("7"), await room.trader("8")
    token = await room.token("buy 0.01 btc", first)
    elsewhere = await room.caller("telegram", "7", "another chat")
    web = Caller(first.user, "web", "7", "7")
    unknown = await room.says("yes AAAAAAAAAAAA", second)
    for other in (second, elsewhere, web, await room.caller()):
        assert await room.says(f"yes {token}", other) == unknown
        assert await room.says(f"no {token}", other) == unknown
    assert "Bought" in await room.says(f"yes {token}", first)


async def test_a_bare_yes_confirms_only_what_was_asked_in_this_chat(room: Room) -> None:
    trader = await room.trader("7")
    await room.says("buy 0.01 btc", trader)
    assert "nothing to confirm" in await room.says("yes")
    assert "Bought" in await room.says("yes", trader)


async def test_the_choice_between_previews_names_each_and_works(room: Room) -> None:
    await room.reply("buy 0.01 btc")
    await room.reply("buy 0.1 eth")
    asked = (await room.reply("yes"))[0]
    assert isinstance(asked, Choices)
    eth = next(choice for choice in asked.choices if "ETH" in choice.label)
    assert "Bought 0.1 ETH" in await room.says(eth.line)
    assert "Bought 0.01 BTC" in await room.says("yes")


async def test_a_price_that_left_the_band_is_refused_with_a_fresh_preview_offered(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.desk.BAND", Decimal("1e-9"))
    await room.reply("buy 0.01 btc")
    for _ in range(10):
        await room.clock.advance(2)
        await asyncio.sleep(0.005)
    answer = await room.says("yes")
    assert "moved" in answer
    assert "(New preview) buy 0.01 btc" in answer
    assert "You hold no coins" in await room.says("positions")
    assert "Already done" not in await room.says("buy 0.01 btc")


async def test_all_checks_each_order_on_its_own(room: Room) -> None:
    await room.says("buy btc with 90% of my cash")
    await room.says("buy eth with 90% of my cash")
    answer = await room.says("all")
    assert answer.count("Bought") == 1
    assert "New preview" in answer


async def test_an_alert_fires_once_and_tells(room: Room) -> None:
    told: list[object] = []

    async def hear(event: AlertFired) -> None:
        told.append(event)

    room.app.services.bus.subscribe(AlertFired, hear)
    price = float(re.search(r"Price: ([\d,.]+)", await room.says("price doge"))[1].replace(",", ""))  # type: ignore[index]
    assert "is set" in await room.says(f"alert doge above {price * 1.0005:.6f}")
    assert "is set" in await room.says(f"alert doge below {price * 0.9995:.6f}")
    await room.until(lambda: bool(told), step=20, most=2000)
    fired = [event.alert for event in told]  # type: ignore[attr-defined]
    assert len(fired) == len(set(fired))


async def test_markup_and_control_characters_never_reach_an_answer_as_markup(room: Room) -> None:
    stranger = await room.app.conversation.caller("telegram", "5", "5", name="<b>\x1b[31mEve</b>")
    await room.reply("hello", stranger)
    reply = await room.reply("people")
    assert all(not isinstance(block, Confirm) for block in reply)
    assert isinstance((await room.reply("\x1b[2J<b>help</b>"))[0], Text | Choices)


async def test_nobody_but_the_owner_names_code_and_nobody_a_path(room: Room, tmp_path: Path) -> None:
    trap = tmp_path / "trap.py"
    trap.write_text("raise SystemExit('this ran')")
    trader = await room.trader("7")
    for line in (
        f"/backtest strategy={trap}:Trap instrument=btc",
        "/start strategy=trap.py:Trap instrument=btc cash=100",
    ):
        assert "Only the owner" in await room.says(line, trader)
    assert "is a path" in await room.says(f"/backtest strategy={trap}:Trap instrument=btc")
    assert "no strategy file" in await room.says("/backtest strategy=trap.py:Trap instrument=btc")


async def test_a_backtest_reports_its_progress_before_its_answer(room: Room) -> None:
    steps: list[Progress] = []

    async def progress(block: Progress) -> None:
        steps.append(block)

    reply = await room.reply("backtest sma cross on btc 1h last year", progress=progress)
    told = len(steps)
    assert told >= 2
    assert "bars" in steps[-1].text
    assert any(isinstance(block, Chart) for block in reply)
    for _ in range(20):  # whatever the loop still had to run
        await asyncio.sleep(0)
    assert len(steps) == told


async def test_a_fired_alert_stays_in_the_list(room: Room) -> None:
    price = float(re.search(r"Price: ([\d,.]+)", await room.says("price doge"))[1].replace(",", ""))  # type: ignore[index]
    await room.says(f"alert doge above {price * 1.0005:.6f}")
    await room.says(f"alert doge below {price * 0.9995:.6f}")
    told: list[object] = []

    async def hear(event: AlertFired) -> None:
        told.append(event)

    room.app.services.bus.subscribe(AlertFired, hear)
    await room.until(lambda: bool(told), step=20, most=2000)
    assert "fired 2026-03-02" in await room.says("alerts")


async def test_a_bare_yes_never_confirms_the_rest_of_several_previews_after_other_questions(room: Room) -> None:
    first = await room.token("buy 0.01 btc")
    second = await room.token("buy 0.02 eth")
    await room.says("price btc")
    assert "Bought 0.01 BTC" in await room.says(f"yes {first}")
    asked = await room.says("yes")
    assert "asked earlier" in asked
    assert "buy 0.02 ETH" in asked
    assert "Bought" not in asked
    assert "Bought 0.02 ETH" in await room.says(f"yes {second}")


async def test_a_revoked_person_is_a_stranger_from_the_next_line_on(room: Room) -> None:
    tom = await room.trader("77")
    token = await room.token("buy 0.01 btc", tom)
    await room.says("revoke telegram 77")
    assert "not allowed" in await room.says(f"yes {token}", tom)
    assert "Bought" not in await room.says("yes", tom)


async def test_a_role_that_was_lowered_counts_from_the_next_line_on(room: Room) -> None:
    tom = await room.trader("78")
    token = await room.token("buy 0.01 btc", tom)
    await room.says("allow telegram 78 viewer")
    assert "Bought" not in await room.says(f"yes {token}", tom)


async def test_panic_and_a_reset_withdraw_every_other_preview_of_the_person_everywhere(room: Room) -> None:
    here, there = await room.trader("7"), await room.caller("telegram", "7", "another chat")
    for line in ("panic", "reset", "sell everything"):
        await room.says("resume", here)
        await room.says("yes", here)
        token = await room.token("buy 0.01 btc", there)
        assert "1 open preview withdrawn" in await room.says(line, here)
        assert "withdrawn" in await room.says(f"yes {token}", there)
        await room.says("no all", here)
    assert "You hold no coins" in await room.says("positions", here)


async def test_after_panic_a_bare_yes_answers_its_own_question(room: Room) -> None:
    await room.says("buy 0.01 btc")
    await room.says("yes")
    await room.says("buy 0.02 btc")
    await room.says("buy 0.03 eth")
    assert "2 open previews withdrawn" in await room.says("panic!")
    answer = await room.says("yes")
    assert "Sold 0.01 BTC" in answer
    assert "Everything is sold" in answer


async def test_selling_everything_sets_no_kill_switch_before_a_yes(room: Room) -> None:
    owner = await room.app.services.users.owner()
    await room.says("buy 0.01 btc")
    await room.says("yes")
    await room.says("buy 0.01 btc at 45k")
    await room.says("yes")
    await room.says("sell everything")
    assert not await room.app.services.desk.halted(owner.id)
    assert len(await room.app.services.desk.orders(owner.id)) == 1
    await room.says("no")
    assert "0.01" in await room.says("positions")


async def test_a_repeated_preview_takes_the_place_of_the_first(room: Room) -> None:
    first = await room.token("buy 0.01 btc")
    second = await room.token("/buy btc 0.01")
    assert "A newer preview took its place" in await room.says(f"yes {first}")
    assert "Bought" in await room.says(f"yes {second}")


async def test_a_stop_that_the_market_passes_before_the_yes_leaves_nothing(room: Room) -> None:
    price = float(re.search(r"Price: ([\d,.]+)", await room.says("price btc"))[1].replace(",", ""))  # type: ignore[index]
    await room.says(f"buy 0.01 btc stop {price - 0.01:.2f}")
    for _ in range(50):
        await room.clock.advance(1)
        now = float(re.search(r"Price: ([\d,.]+)", await room.says("price btc"))[1].replace(",", ""))  # type: ignore[index]
        if now < price - 0.02:
            break
    else:
        raise AssertionError("the market never fell")
    assert "must lie below the market" in await room.says("yes")
    assert "You hold no coins" in await room.says("positions")
    assert "No open orders" in await room.says("orders")


async def holding_strategy(room: Room) -> None:
    """A strategy that has bought."""
    await room.says("start buy_and_hold on btc 1m with 1000")
    assert "is running" in await room.says("yes")
    owner = await room.app.services.users.owner()
    for _ in range(200):
        await room.clock.advance(2)
        await asyncio.sleep(0.005)
        if (await room.app.services.desk.portfolio(owner.id)).positions:
            return
    raise AssertionError("it never bought")


async def test_stopping_a_strategy_that_holds_something_asks_first(room: Room) -> None:
    await holding_strategy(room)
    asked = await room.says("stop 1")
    assert "and sell at the market?" in asked
    assert re.search(r"sells 0\.0\d+ BTC at about [\d,.]+ USDT; about [\d,.]+ USDT come back", asked)
    assert "(Stop and keep the coins) stop 1 and keep the coins" in asked
    assert "buy_and_hold" in await room.says("running")
    assert "Stopped strategy 1" in await room.says("yes")
    assert "You hold no coins" in await room.says("positions")


async def test_a_strategy_stops_without_selling_also_while_the_market_is_silent(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await holding_strategy(room)

    async def silent(*_: object, **__: object) -> None:
        raise Unavailable("The market does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(SandboxData, "quote", silent)
        patch.setattr(SandboxData, "bars", silent)
        kept = await room.says("stop 1 and keep the coins")
        assert "is stopped and keeps 0.0" in kept
        assert "No strategy is running" in await room.says("running")
    venues = room.app.services.venues  # it may have been asked so often meanwhile that it is left alone for a while
    await room.until(lambda: not venues.health("sandbox").out)
    assert "Sell what strategy 1 (buy_and_hold on BTC) left?" in await room.says("stop 1")
    assert "came back" in await room.says("yes")
    assert "You hold no coins" in await room.says("positions")


async def test_names_are_short_and_printable(room: Room) -> None:
    long = await room.app.conversation.caller("telegram", "5", "5", name="\x1b[31m" + "n" * 200)
    assert long.name == "[31m" + "n" * 60
    assert "at most 64 characters" in await room.says(f"/allow telegram 9 viewer name={'x' * 65}")
    assert "is allowed" in await room.says("/allow telegram 9 viewer name=Eve\x07")
    assert "Eve |" in await room.says("people")


HOLDER = """import numpy as np

from core.trading.strategy import Signals


class Holder:
    name, summary, parameters = "holder", "Holds.", {}

    def warmup(self):
        return 1

    def signals(self, bars, context):
        return Signals(np.ones(len(bars)))
"""


async def test_the_owner_starts_a_strategy_of_their_own_by_the_line_that_its_backtest_offers(
    room: Room, tmp_path: Path
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir(exist_ok=True)
    (folder / "Holder.py").write_text(HOLDER)
    (folder / "broken.py").write_text("def (")
    listed = await room.says("strategies")
    assert "Holder.py:Holder | Holds." in listed
    assert "broken.py, line 1: " in listed
    assert "sma_cross" in listed
    trader = await room.trader("7")
    assert ".py" not in await room.says("strategies", trader)
    assert "start Holder.py:Holder on btc 1h" in await room.says("backtest Holder.py:Holder btc 1h")
    assert "Only the owner" in await room.says("start Holder.py:Holder on btc 1h with 1000", trader)
    assert "is a path" in await room.says(f"start {folder}/Holder.py:Holder on btc 1h with 1000")
    assert "start Holder.py:Holder on btc 1h with 1000" in await room.says("start Holder.py:Holder on btc 1h")
    assert "trade BTC by itself?" in await room.says("start Holder.py:Holder on btc 1h with 1000")
    assert "is running" in await room.says("yes")
    assert "path.py" not in await room.says("backtest nonsense btc 1h")
    owner = await room.app.services.users.owner()
    runs = await room.app.services.strategies.runs(owner.id)
    assert runs[-1].source == f"{folder.resolve()}/Holder.py:Holder"  # where a restart finds it
