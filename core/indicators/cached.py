"""Compiled kernels from Numba's cache, without what only its compiler needs: half of the time and memory of loading.

Numba loads everything that it can translate before it loads any compiled code, and reads that code's intermediate
form. Here this waits until a kernel is compiled indeed, which loads it by itself.
"""

import functools
import importlib
import os
import sys
from typing import Any

from llvmlite import binding

CONFIGURED = os.path.exists(".numba_config.yaml")  # Numba's own settings of this folder


def _alone() -> None:
    """Imports Numba without what it looks for and goes without, which takes 0.05 s."""
    unused = ("scipy", "coverage") if CONFIGURED else ("scipy", "coverage", "yaml")
    absent: dict[str, Any] = {name: None for name in unused if name not in sys.modules}
    sys.modules.update(absent)
    try:
        importlib.import_module("numba")
    finally:
        for name in absent:
            del sys.modules[name]


_alone()
# Found by name, as their types do not reach here.
environment: Any = importlib.import_module("numba.core.environment")
memory: Any = importlib.import_module("numba.core.runtime._nrt_python")
Library: Any = importlib.import_module("numba.core.codegen").JITCodeLibrary
Files: Any = importlib.import_module("numba.core.caching").FunctionCache


class Kept(Library):  # type: ignore[misc]
    """A kernel's code. Its intermediate form is read when a kernel that calls it is compiled."""

    _intermediate: bytes | None = None

    @classmethod
    def _unserialize(cls, owner: Any, state: Any) -> Any:
        _, kind, data = state
        if kind != "object":
            return super()._unserialize(owner, state)
        library = owner.create_library(state[0])
        library.enable_object_caching()
        library._set_compiled_object(data[0])
        library._intermediate = data[1]
        library._finalize_final_module()
        return library

    def _get_module_for_linking(self) -> Any:
        if self._intermediate is not None:
            self._shared_module = binding.parse_bitcode(self._intermediate)
            self._codegen._engine._load_defined_symbols(self._shared_module)
            self._intermediate = None
        return super()._get_module_for_linking()

    def get_pointer_to_function(self, name: str) -> Any:
        """The address of a function of this library, 0 where it has none of that name."""
        if self._intermediate is None:
            return super().get_pointer_to_function(name)
        return self._codegen._engine.get_function_address(name)


@functools.cache
def _name_memory() -> None:
    """Says where the functions are that make and free arrays, which the code calls."""
    for name, address in memory.c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class Cache(Files):  # type: ignore[misc]
    """What Numba asks for a kernel before it compiles it."""

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled kernel for these types, None when there is none."""
        _name_memory()
        context.codegen()._library_class = Kept
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(signature, context)
        if found is None:
            spare_blas()
        return found


def _rebuilt(module: str, constants: Any, name: str) -> Any:
    """Numba's `_rebuild_env`, without importing the module: code that handles no Python objects looks nothing up."""
    found = environment.lookup_environment(name)
    if found is None:
        known = sys.modules.get(module)
        found = environment.Environment({"__name__": module} if known is None else vars(known))
        found.consts[:] = constants
        found.env_name = name
        environment.Environment._memo[name] = found
    return found


_rebuilt.__module__, _rebuilt.__qualname__ = environment.__name__, "_rebuild_env"  # what the cache's files call it
environment._rebuild_env = _rebuilt


def spare_blas() -> None:
    """Numba's array functions import SciPy's linear algebra, 0.1 s and 30 MB, for products that no kernel of ours has.

    A kernel that has one still finds it: Numba asks again when it compiles that.
    """
    from numba.np import linalg

    def absent() -> None:
        raise ImportError

    numba_linalg: Any = linalg
    kept, numba_linalg.ensure_blas = numba_linalg.ensure_blas, absent
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        numba_linalg.ensure_blas = kept
