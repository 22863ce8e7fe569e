"""The console's tests talk to the real product in the room of the dialogs."""

from tests.dialog.conftest import room

__all__ = ["room"]
