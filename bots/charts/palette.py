"""Palette: the colours of a theme."""

from dataclasses import dataclass
from typing import Final

from core.reply import Tone


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme; rising and falling differ in lightness too, for eyes that see no red and green."""

    background: str
    panel: str
    grid: str
    text: str
    faint: str
    rising: str
    falling: str
    warning: str
    lines: tuple[str, ...]


DARK: Final = Palette(
    background="#10151d", panel="#141b25", grid="#253040", text="#e8edf4", faint="#93a1b3", rising="#2fd6a3",
    falling="#ff5d6c", warning="#ffb648", lines=("#4da3ff", "#ffb648", "#c58bff", "#5fe0e6", "#ff8fc7"),
)  # fmt: skip
LIGHT: Final = Palette(
    background="#ffffff", panel="#fbfcfe", grid="#e3e8ef", text="#17202c", faint="#5d6b7e", rising="#078a63",
    falling="#d3263a", warning="#b26a00", lines=("#1263c4", "#b26a00", "#7a36c9", "#0a7d86", "#b3256f"),
)  # fmt: skip


def toned(tone: Tone, palette: Palette) -> str | None:
    return {"good": palette.rising, "bad": palette.falling, "warning": palette.warning}.get(tone)
