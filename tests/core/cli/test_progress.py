"""The bar of long verbs: on a terminal only, and gone when they end."""

import io
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from core.cli.progress import bar, tell_compiling


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


def test_a_terminal_is_told_of_compiling_once(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.indicators.compiled.cache_folder", lambda: tmp_path)
    with redirect_stderr(terminal):
        tell_compiling()
        assert "Compiling first" in terminal.getvalue()
        (tmp_path / "simulation").mkdir()
        (tmp_path / "simulation" / "kernel.nbi").touch()
        tell_compiling()
    assert terminal.getvalue().count("\n") == 1


def test_a_terminal_sees_title_and_percent(terminal: Terminal) -> None:
    with redirect_stderr(terminal), bar("Sweeping [500 pairs]", patience=0.0) as told:
        told(0.25)
        told(1.0)
    assert "Sweeping [500 pairs]" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_quick_work_shows_nothing(terminal: Terminal) -> None:
    with redirect_stderr(terminal), bar("Testing", patience=60.0) as told:
        told(0.5)
    assert terminal.getvalue() == ""


def test_a_pipe_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("Testing", patience=0.0) as told:
        told(0.5)
    assert capsys.readouterr() == ("", "")


def test_an_interruption_passes_through_and_leaves_the_terminal_clean(terminal: Terminal) -> None:
    def interrupted() -> None:
        with redirect_stderr(terminal), bar("Testing", patience=0.0) as told:
            told(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().rstrip("\n").endswith("\x1b[?25h\r\x1b[1A\x1b[2K")  # cursor shown, line cleared
