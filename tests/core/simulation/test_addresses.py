"""Arrays are handed to the kernel where they lie, and only in a form that it can read."""

import numpy as np
import pytest

from core.errors import InvalidInput
from core.simulation.addresses import addresses


def test_what_is_not_given_has_the_address_zero() -> None:
    here = np.arange(3.0)
    table = addresses([[here, None], [None, here]])
    assert table.tolist() == [[here.ctypes.data, 0], [0, here.ctypes.data]]


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0)[::2], np.zeros((2, 2)), np.zeros(3, np.float32)],
    ids=["strided", "two-dimensional", "four bytes"],
)
def test_an_array_of_another_form_is_refused(array: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="Column 1 of instrument 0"):
        addresses([[np.arange(3.0), array]])
