"""Ids that grow with time."""

import os
import time
import uuid


def time_ordered_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): new rows go to the end of the index, not all over it.

    The twelve bits after the milliseconds are their fraction (§6.2, method 3): ids made one after the other by one
    clock are in their order.
    """
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    bits = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random
    return uuid.UUID(int=bits)
