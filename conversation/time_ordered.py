"""Ids that grow with time."""

import os
import time
import uuid


def time_ordered_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): new rows go to the end of the index, not all over it."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    return uuid.UUID(int=bits & ~(0x3 << 62) | (0x2 << 62))
