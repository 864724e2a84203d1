"""Items that belong together, numbered."""

from __future__ import annotations

from collections.abc import Sequence


def family_labels(groups: Sequence[Sequence[int]], n: int) -> list[int]:
    """Number the connected components of ``n`` items, given groups of items that belong together.

    Examples
    --------
    >>> family_labels([[0, 2], [2, 3]], 5)
    [0, 1, 0, 0, 2]
    """
    parent = list(range(n))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for group in groups:
        for item in group[1:]:
            a, b = sorted((find(group[0]), find(item)))
            parent[b] = a
    order: dict[int, int] = {}
    return [order.setdefault(find(i), len(order)) for i in range(n)]
