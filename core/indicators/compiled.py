"""`kernel`: Numba's njit as every kernel of the product uses it, cached on disk where a change of any kernel shows.

Numba's own cache does not see a change in an imported kernel, so the cache folder's name carries a hash of the sources
of every package that holds kernels, of Numba's version and of the interpreter's.
"""

import functools
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from core.indicators.cached import Cache  # first, as it imports Numba without what is not used

# isort: split
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core import config as settings
from numba.extending import intrinsic

config: Any = settings  # its attributes are made at run time
null: Any = cgutils.get_null_value
packed: Any = cgutils.pack_array
Function = TypeVar("Function", bound=Callable[..., Any])
CORE = Path(__file__).resolve().parent.parent
PACKAGES = ("indicators", "analytics", "simulation")
KEPT = 30 * 86_400  # seconds that the kernels of another version are kept after their last use


def fingerprint() -> str:
    """Changes whenever the source of any kernel, Numba or Python does."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for package in PACKAGES:
        for path in sorted((CORE / package).glob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _prune(used: Path) -> None:
    """Notes that this folder is used, and removes those of other versions that no process used for long.

    A process that is still running such a version compiles anew what it misses.
    """
    try:
        os.utime(used)
        for other in used.parent.iterdir():
            ours = re.fullmatch(r"kernels-[0-9a-f]{16}", other.name) and other != used and not other.is_symlink()
            if ours and other.is_dir() and other.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        return  # another process was faster, or the folder is not ours; it does no harm where it is


@functools.cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: NUMBA_CACHE_DIR, the user's cache, ORCHESTRATOR_DATA_DIR, or a temporary one."""
    name = f"kernels-{fingerprint()}"
    candidates = []
    if os.environ.get("NUMBA_CACHE_DIR"):
        candidates.append(Path(os.environ["NUMBA_CACHE_DIR"]))
    cache = os.environ.get("XDG_CACHE_HOME")
    candidates.append((Path(cache) if cache else Path(os.path.expanduser("~")) / ".cache") / "crypto-orchestrator")
    if os.environ.get("ORCHESTRATOR_DATA_DIR"):
        candidates.append(Path(os.environ["ORCHESTRATOR_DATA_DIR"]) / "cache")
    for candidate in candidates:
        if _writable(candidate / name):
            _prune(candidate / name)
            return candidate / name
    return Path(tempfile.mkdtemp(prefix="crypto-orchestrator-")) / name


def kernel(function: Function) -> Function:
    """Compiles on first use, without the GIL, with IEEE arithmetic (no fastmath), cached between processes."""
    return _compiled(function, forceinline=False)


def inlined(function: Function) -> Function:
    """As `lean`, for what is called per bar or fill: it becomes part of its callers, as passing arrays costs more."""
    return _compiled(function, forceinline=True, _nrt=False)


def lean(function: Function) -> Function:
    """As `kernel`, for one that makes no array: without reference counts, which cost more than a short body does."""
    return _compiled(function, forceinline=False, _nrt=False)


def _compiled(function: Function, forceinline: bool, **options: Any) -> Function:
    compiled: Any = numba.njit(
        function, nogil=True, error_model="numpy", fastmath=False, forceinline=forceinline, **options
    )
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        compiled._cache = Cache(function)
    finally:
        config.CACHE_DIR = before
    kept: Function = compiled
    return kept


def _borrowed(context: Any, array: Any) -> Any:
    """The same array without an owner, so that passing it on costs no atomic reference count.

    For the body of a kernel whose caller keeps the array alive, or that keeps it alive itself.
    """

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = target.make_array(signature.args[0])(target, builder, arguments[0])
        view.meminfo = null(view.meminfo.type)
        return view._getvalue()

    return array(array), generate


borrowed: Any = intrinsic(_borrowed)


def _soon(context: Any, array: Any, index: Any) -> Any:
    """Asks the processor to fetch array[index], which is needed a little later: what lies far apart is slow to come."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = target.make_array(signature.args[0])(target, builder, arguments[0])
        address = builder.bitcast(builder.gep(view.data, [arguments[1]]), cgutils.voidptr_t)
        flag = cgutils.int32_t
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(fetch, [address, flag(0), flag(3), flag(1)])
        return target.get_dummy_value()

    return types.void(array, types.intp), generate


soon: Any = intrinsic(_soon)


def _array_at(number: Any) -> Any:
    """An intrinsic that makes the array of so many numbers at an address, without an owner as `borrowed` does."""

    def made(context: Any, address: Any, count: Any) -> Any:
        kind = types.Array(number, 1, "C")

        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            from numba.np import arrayobj  # where nothing is compiled it is not needed

            fill: Any = arrayobj.populate_array
            where, many = arguments
            many = builder.sext(many, cgutils.intp_t) if many.type != cgutils.intp_t else many
            size = target.get_constant(types.intp, 8)
            array = target.make_array(kind)(target, builder)
            fill(
                array,
                data=builder.inttoptr(where, array.data.type),
                shape=packed(builder, [many]),
                strides=packed(builder, [size]),
                itemsize=size,
                meminfo=None,
            )
            return array._getvalue()

        return kind(address, count), generate

    return intrinsic(made)


floats_at, integers_at = _array_at(types.float64), _array_at(types.int64)
