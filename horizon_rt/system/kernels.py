"""Functions that Numba compiles, and keeps for the next start where that is possible.

A folder that cannot be written, a full disk or a damaged file costs the time to compile again, nothing else.
"""

from __future__ import annotations

import glob
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps
from numpy.typing import NDArray

from horizon_rt.system.cache import cache_folder, say_once, seal, unseal

__all__ = ["Array", "Record", "are_compiled", "caches", "kernel"]

Array: TypeAlias = NDArray[Any]
"""An array inside a kernel, which is compiled for the dtype and layout that it is called with."""
Record: TypeAlias = Any
"""A row of a structured array inside a kernel, with an attribute for each field."""
_Function = TypeVar("_Function", bound=Callable[..., Any])
# NUMBA_CACHE_DIR and __pycache__; a folder of Numba's in the user's home comes behind, in which ours stands.
_GIVEN, _BESIDE, *_ = CompileResultCacheImpl._locator_classes


class _CacheFolder(_BESIDE):  # type: ignore[misc, valid-type]
    """The cache folder of this program, where the one beside the module cannot be written."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        super().__init__(function, file)
        folder = cache_folder()
        if folder is None:
            raise OSError("there is no folder to write")
        self._cache_path = str(folder / "kernels" / self.get_suitable_cache_subpath(file))

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Any:
        with suppress(OSError):
            return super().from_function(function, file)
        return None


class _Kept(CompileResultCacheImpl):  # type: ignore[misc]
    """What is written of a kernel: its compiled code behind a checksum."""

    _locator_classes = [_GIVEN, _BESIDE, _CacheFolder]  # noqa: RUF012

    def reduce(self, compiled: Any) -> bytes:
        return seal(dumps(super().reduce(compiled)))

    def rebuild(self, target_context: Any, payload: bytes) -> Any:
        return super().rebuild(target_context, pickle.loads(unseal(payload)))


class _Cache(FunctionCache):  # type: ignore[misc]
    """As Numba's, but no error of a file is one of the program."""

    _impl_class = _Kept

    @property
    def index(self) -> Path:
        """The file that names the others; there from the first kernel on that was kept."""
        return Path(self.cache_path, f"{self._impl.filename_base}.nbi")

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # a damaged pickle raises anything
            say_once("damaged kernels", f"damaged kernels in {self.cache_path} are compiled anew")
            self._drop()
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        try:
            super().save_overload(signature, compiled)
        except Exception as error:  # of the disk, or of files that could not be dropped
            reason = getattr(error, "strerror", None) or error
            say_once("full disk", f"compiled kernels cannot be kept in {self.cache_path}: {reason}")
            self.disable()

    def _drop(self) -> None:
        for file in glob.glob(f"{glob.escape(str(self.index.with_suffix('')))}.*nb[ci]"):
            with suppress(OSError):
                Path(file).unlink()


caches: list[_Cache] = []
"""Those of all kernels of the modules that are imported."""


def kernel(
    *,
    fastmath: bool = False,
    inline: Literal["never", "always"] = "never",
    error_model: Literal["python", "numpy"] = "python",
) -> Callable[[_Function], _Function]:
    """Compile a function at its first call, without the interpreter and its lock; see `numba.njit`."""

    def compiled(function: _Function) -> _Function:
        made = njit(nogil=True, fastmath=fastmath, inline=inline, error_model=error_model)(function)
        # Numba's RuntimeError says that no folder can be written, of which `cache_folder` has told.
        with suppress(RuntimeError):
            made._cache = _Cache(function)
            caches.append(made._cache)
        return made

    return compiled


def are_compiled() -> bool:
    """Whether any kernel of the modules that are imported was kept by an earlier start."""
    return any(cache.index.exists() for cache in caches)
