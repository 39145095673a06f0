"""Ids of the groups in a benchmark, computed from numbers.

Load generators need the id of a fresh group for each request. Computing it spares them
a list; group_ids.lua does the same. The ids are spread like random ones.
"""

MULTIPLIER = 2_654_435_761  # odd, so that no two numbers share their first 32 bits


def group_id(number: int) -> str:
    """Return the id of the group with this number, which is below 2**21."""
    spread = number * MULTIPLIER % 2**32
    return f"{spread:08x}-0000-4000-8000-{number:012x}"
