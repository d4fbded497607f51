"""Calls from one compiled kernel to another where it lies.

A kernel that calls another as usual is given a copy of its code, which LLVM then compiles again. A ``Link`` makes the
caller name a symbol instead, and tells LLVM the address that it stands for. The address is no part of the caller's
code, so that it can be kept on disk; it must be told before the caller is loaded.
"""

import copy
import hashlib
import inspect
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = ["Link"]


class Link:
    """What compiled code calls in place of ``kernel``, which returns nothing: ``call``."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.told: set[tuple] = set()

        def call(_typing: Any, *args: Any) -> Any:
            if args not in self.told:  # LLVM ends the process if it finds no address
                return None

            def codegen(context: Any, b: ir.IRBuilder, signature: Any, values: Any) -> Any:
                there = copy.copy(kernel.overloads[args].fndesc)
                there.mangled_name = self._symbol(args)
                return context.call_internal(b, there, signature, values)

            return types.void(*args), codegen

        own = inspect.Parameter("_typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [own, *inspect.signature(kernel.py_func).parameters.values()]
        )
        self.call = intrinsic(call)

    def tell(self, args: tuple) -> None:
        """Compile or load the kernel for these types, and tell LLVM where it lies.

        Numba asks for one kernel at a time, and LLVM replaces symbols by addresses when it is given the code. So a
        caller is always linked to what was told for it, even if another kernel has the same name.
        """
        self.kernel.compile(args)
        compiled = self.kernel.overloads[args]
        address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
        llvm.add_symbol(self._symbol(args), address)
        self.told.add(args)

    def _symbol(self, args: tuple) -> str:
        """The same in every process, because callers are kept with it."""
        kernel = f"{self.kernel.py_func.__module__}.{self.kernel.py_func.__qualname__}"
        return f"{kernel}.{hashlib.sha256(repr(args).encode()).hexdigest()[:24]}"
