"""sizing_of: how positions are sized, read from a few words such as fraction=0.5 or volatility=0.2,lookback=30."""

from typing import Any

from core.errors import InvalidInput
from core.trading import sizing
from core.trading.sizing import Sizing

KINDS: dict[str, Any] = {
    "cash": sizing.FixedCash, "quantity": sizing.FixedQuantity, "fraction": sizing.Fraction,
    "volatility": sizing.VolatilityTarget, "kelly": sizing.Kelly,
}  # fmt: skip


def words_of(size: Sizing | None) -> str | None:
    """The words by which `sizing_of` gives the same rule again, to the last digit."""
    if size is None:
        return None
    name = next(name for name, kind in KINDS.items() if isinstance(size, kind))
    first, *more = ((field, getattr(size, field)) for field in size.__dataclass_fields__)
    return ",".join([f"{name}={first[1]!r}", *(f"{field}={value!r}" for field, value in more)])


def sizing_of(text: str | None) -> Sizing | None:
    """How positions are sized: cash=500, quantity=0.1, fraction=0.5, volatility=0.2 or kelly=0.5.

    More follows commas: volatility=0.2,lookback=30,most=2 and kelly=0.5,least_trades=20,most=1. Raises InvalidInput.
    """
    if text is None:
        return None
    words = [part.partition("=") for part in text.split(",")]
    name = words[0][0].strip()
    if name not in KINDS:
        raise InvalidInput(
            f"'{name}' is not a way to size positions; accepted are {', '.join(KINDS)}, e.g. fraction=0.5."
        )
    kind = KINDS[name]
    fields = list(kind.__dataclass_fields__)
    values: dict[str, float | int] = {}
    for place, (key, _, value) in enumerate(words):
        field = fields[0] if place == 0 else key.strip()
        if field not in fields or (place and field == fields[0]):
            raise InvalidInput(
                f"'{field}' is not a part of {name}; it takes {', '.join(fields[1:]) or 'one number alone'}."
            )
        try:
            values[field] = int(value) if kind.__dataclass_fields__[field].type in ("int", int) else float(value)
        except ValueError:
            raise InvalidInput(f"The size '{text}' needs a number after {key.strip()}=, such as {name}=0.5.") from None
    made: Sizing = kind(**values)
    return made
