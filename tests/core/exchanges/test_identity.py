import re

import pytest

from core.exchanges.identity import canonical, client_id

FORMS = {
    "binance": r"[a-zA-Z0-9-_]{1,36}",
    "kucoin": r"[a-zA-Z0-9-_]{1,40}",
    "kraken": r"[0-9a-f]{32}|[0-9a-f-]{36}",
    "okx": r"[a-zA-Z0-9]{1,32}",
    "bybit": r"[a-zA-Z0-9-_]{1,36}",
    "coinbase": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "bitvavo": r"[0-9a-f]{32}",
}


@pytest.mark.parametrize("venue", FORMS)
@pytest.mark.parametrize(
    "order", ["7d444840-9dc0-11d1-b245-5ffdce74fad2", "parent.3", "x" * 200, "7d4448409dc011d1b2455ffdce74fad2"]
)
def test_a_client_id_is_one_that_the_venue_takes(venue: str, order: str) -> None:
    assert re.fullmatch(FORMS[venue], client_id(order, venue))


def test_a_client_id_never_changes_and_never_repeats() -> None:
    assert client_id("parent.1", "binance") == client_id("parent.1", "binance") == "19f41510574f55468c8ddfbfac87746e"
    names = [f"parent.{number}" for number in range(1000)]
    assert len({client_id(name, "kucoin") for name in names}) == 1000


def test_an_id_of_32_digits_is_kept_so_that_support_can_find_it() -> None:
    assert client_id("7d444840-9dc0-11d1-b245-5ffdce74fad2", "binance") == "7d4448409dc011d1b2455ffdce74fad2"
    assert client_id("7d4448409dc011d1b2455ffdce74fad2", "coinbase") == "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def test_what_a_venue_tells_back_is_recognised_in_either_form() -> None:
    told = client_id("parent.1", "coinbase")
    assert canonical(told) == canonical(told.upper()) == client_id("parent.1", "binance")
    assert canonical("web_1234") is None
    assert canonical(None) is None
