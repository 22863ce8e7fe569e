"""Studies of searches, on PostgreSQL as on SQLite."""

from pathlib import Path

from core.research.optimize import optimize
from core.research.studies import address
from core.strategies import SmaCross
from tests.core.simulation.market import walk

SPACE = {"fast": "2:30", "slow": "10:90:5"}


def test_studies_in_postgresql_have_a_schema_of_their_own(postgresql_url: str, tmp_path: Path) -> None:
    database = address(postgresql_url, tmp_path)
    optimize(SmaCross, walk(300, 4), SPACE, trials=2, study="there", database=database)
    resumed = optimize(SmaCross, walk(300, 4), SPACE, trials=4, study="there", database=database, resume=True)
    assert len(resumed) == 4
