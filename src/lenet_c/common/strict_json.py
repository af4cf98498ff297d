"""JSON of files and requests, which may come from anyone: strict, and bounded in memory."""

import json
import re
from collections import Counter
from typing import Any

# Matches a string, complete or not, or the beginning of a list or an object, in one pass.
_VALUE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]', re.DOTALL)


def parse(text: str, most: int) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : str
    most : int
        Strings, lists and objects that it may hold, keys included. They take far more memory than
        the characters that make them, and are counted before any is made.

    Raises
    ------
    ValueError
        It is no JSON, a key comes twice, a number has thousands of digits, or there are more or
        deeper values than expected. NaN and Infinity are left to what checks the numbers.
    """
    if text.count('"') // 2 + text.count("[") + text.count("{") > most:
        for count, _ in enumerate(_VALUE.finditer(text), 1):
            if count > most:
                raise ValueError(f"expected {most} strings, lists and objects at most")
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except RecursionError as error:
        raise ValueError(f"nested too deep: {error}") from None


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r:.80} comes twice")
    return result
