"""Replies as Telegram messages: nothing lost, nothing too long, nothing that Telegram cannot parse."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.telegram.render import WIDTH, Button, in_rows, render
from bots.telegram.text import CAPTION, ENTITIES, LIMIT, Span, markup, shortened, split, units, visible
from core.reply import Chart, Choice, Choices, Confirm, Facts, Field, Form, Pane, Progress, Table, Text
from tests.simulators.telegram import Refused, parse_html

letters = st.text(st.sampled_from("ab <>&\"'\n\t 🚀é漢/"), max_size=300)
words = st.text(max_size=200)
styles = st.sampled_from(["", "b", "i", "pre", "code"])
spans = st.lists(st.builds(Span, st.one_of(letters, words), styles), max_size=12)


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(spans=spans, limit=st.integers(20, 400))
@settings(max_examples=300)
def test_a_split_text_loses_nothing_and_keeps_to_the_limit(spans: list[Span], limit: int) -> None:
    parts = split(spans, limit)
    assert all(1 <= units(visible(part)) <= limit for part in parts)
    assert bare("".join(visible(part) for part in parts)) == bare(visible(spans))


@given(spans=spans, limit=st.integers(20, 400))
@settings(max_examples=300)
def test_every_part_is_parsed_to_the_text_that_was_meant(spans: list[Span], limit: int) -> None:
    for part in split(spans, limit):
        text, entities = parse_html(markup(part))
        assert text == visible(part)
        assert len(entities) <= ENTITIES
        assert all(each["offset"] + each["length"] <= units(text) for each in entities)


@given(words=st.lists(st.text(st.sampled_from("abcdefgh🚀"), min_size=1, max_size=9), min_size=1, max_size=400))
def test_words_are_never_cut_when_they_fit(words: list[str]) -> None:
    parts = split([Span(" ".join(words))], 60)
    assert " ".join(visible(part) for part in parts).split() == words


def test_many_styles_are_spread_over_messages() -> None:
    parts = split([Span("x", "b")] * 500)
    assert sum(len(part) for part in parts) == 500
    assert max(len(part) for part in parts) <= ENTITIES


def test_an_emoji_counts_as_two() -> None:
    assert units("a🚀") == 3
    assert [units(visible(part)) for part in split([Span("🚀" * LIMIT)])] == [LIMIT, LIMIT]


def test_the_limit_of_one_message_is_used() -> None:
    assert len(split([Span("a" * LIMIT)])) == 1
    assert len(split([Span("a" * (LIMIT + 1))])) == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a < b", 'Unsupported start tag ""'),
        ("<u><x>", 'Unsupported start tag "x" at byte offset 3'),
        ("<b>a</i>", 'expected "</b>", found "</i>"'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
    ],
)
def test_the_simulator_refuses_what_telegram_refuses(source: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_html(source)
    assert refused.value.description.startswith("Bad Request: can't parse entities: ")
    assert reason in refused.value.description


cells = st.text(st.sampled_from("abc 0.1<>&漢"), max_size=30)


@given(
    columns=st.lists(cells, min_size=1, max_size=7),
    data=st.data(),
)
def test_every_cell_of_a_table_is_shown(columns: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*[cells] * len(columns)), max_size=30))
    shown = bare("".join(visible(message.spans) for message in render([Table("Orders", tuple(columns), tuple(rows))])))
    for row in rows:
        for cell in row:
            assert all(bare(word) in shown for word in cell.split())


def test_a_narrow_table_is_aligned_and_a_wide_one_is_stacked() -> None:
    (narrow,) = render([Table("Prices", ("Coin", "Price"), (("BTC", "60,000"), ("DOGE", "0.12")), numeric=(1,))])
    assert visible(narrow.spans).splitlines()[1:] == [
        "Coin   Price",
        "────────────",
        "BTC   60,000",
        "DOGE    0.12",
    ]
    wide = Table("Orders", ("Order", "What", "State"), (("12", "buy 0.1 BTC/USDT at 60,000", "open since yesterday"),))
    (stacked,) = render([wide])
    assert visible(stacked.spans).splitlines()[1:] == [
        "12",
        " What   buy 0.1 BTC/USDT at 60,000",
        " State  open since yesterday",
    ]


def test_facts_fit_the_width_of_a_phone() -> None:
    facts = (("Price", "60,000 USDT"), ("Total return over the whole of the test", "12.3 %"), ("Why", "one two " * 12))
    (message,) = render([Facts("Ticket", facts, "paper")])
    assert max(map(len, visible(message.spans).splitlines())) <= WIDTH + 20
    assert "Price" in visible(message.spans)


def test_a_table_without_rows_says_its_sentence() -> None:
    assert "No orders." in visible(render([Table("Orders", ("a",), (), empty="No orders.")])[0].spans)


def test_a_preview_shows_mode_numbers_and_two_buttons() -> None:
    preview = Confirm("AbCdEf-_12", "Buy 0.1 BTC?", (("Fee", "6 USDT"),), "PAPER", ("<far> from the market",))
    (message,) = render([preview])
    text = visible(message.spans)
    assert all(each in text for each in ("PAPER", "Buy 0.1 BTC?", "6 USDT", "<far> from the market", "60 seconds"))
    assert [button.line for button in message.rows[0]] == ["yes AbCdEf-_12", "no AbCdEf-_12"]


def test_buttons_stand_on_the_last_part_of_a_long_question() -> None:
    messages = render([Text("word " * 2000), Choices("Which?", (Choice("One", "price btc"),))])
    assert len(messages) > 2
    assert [bool(message.rows) for message in messages] == [False] * (len(messages) - 1) + [True]


def test_a_chart_has_a_caption_within_its_limit() -> None:
    chart = Chart("T" * 3000, (Pane(()),), "SIMULATED", "word " * 1000)
    before, picture, after = render([Text("before"), chart, Text("after")])
    assert picture.chart is chart
    assert units(visible(picture.spans)) <= CAPTION
    assert (visible(before.spans), visible(after.spans)) == ("before", "after")


def test_a_form_says_how_to_type_it() -> None:
    fields = (Field("instrument", "the coin"), Field("side", "which way", "choice", "", ("buy", "sell"), False))
    text = visible(render([Form("Chart", "chart", fields)])[0].spans)
    assert "/chart instrument=INSTRUMENT [side=buy]" in text
    assert "buy, sell" in text


def test_progress_shows_a_share_and_the_time_left() -> None:
    assert visible(render([Progress("Backtest", 0.4, 12)])[0].spans) == "⏳ Backtest\n▓▓▓▓░░░░░░ 40 %, 12 s left"


def test_buttons_are_labelled_and_few_in_a_row() -> None:
    rows = in_rows([Button("", "a"), Button("BTC", "b"), Button("ETH", "c"), Button("x" * 90, "d"), Button("SOL", "e")])
    assert [[units(each.label) <= 40 for each in row] for row in rows] == [[True] * 3, [True], [True]]


@given(text=words, limit=st.integers(5, 50))
def test_shortened_text_keeps_to_the_limit(text: str, limit: int) -> None:
    assert units(shortened(text, limit)) <= limit
