"""Which sanitizer the tests run under."""

import ctypes


def preloaded() -> str | None:
    """Return "address" or "thread", the sanitizer that is in the process, or None."""
    try:
        symbols = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no handle of the process
        return None
    names = {"__asan_init": "address", "__tsan_init": "thread"}
    return next((name for symbol, name in names.items() if hasattr(symbols, symbol)), None)


SANITIZER = preloaded()
