"""sizing_of: how positions are sized, from words such as fraction=0.5 or volatility=0.2,lookback=30; text_of: back."""

from typing import Any

from core.errors import InvalidInput
from core.trading import sizing
from core.trading.sizing import Sizing

KINDS: dict[str, Any] = {
    "cash": sizing.FixedCash, "quantity": sizing.FixedQuantity, "fraction": sizing.Fraction,
    "volatility": sizing.VolatilityTarget, "kelly": sizing.Kelly,
}  # fmt: skip


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


def text_of(size: Sizing) -> str:
    """The words that `sizing_of` reads as this."""
    name = next(name for name, kind in KINDS.items() if isinstance(size, kind))
    fields = {field: getattr(size, field) for field in KINDS[name].__dataclass_fields__}
    words = [f"{name if place == 0 else field}={value!r}" for place, (field, value) in enumerate(fields.items())]
    return ",".join(words)
