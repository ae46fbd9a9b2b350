"""A process that writes when people were last here, in several threads. Started by test_race, several at once.

`python -m tests.presence.racing <seed>` prints the highest moment that it wrote of each person, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models exist only after setup()
from django.db import connection  # noqa: E402

from presence import actions  # noqa: E402

THREADS, ROUNDS, MOST = 4, 15, 1_000
EPOCH = 1_795_000_000


def rounds(seed: int) -> list[dict[int, int]]:
    """Batches of everybody, each person at some moment, in some order."""
    chance = random.Random(seed)
    people = list(User.objects.values_list("pk", flat=True))
    batches = []
    for _ in range(ROUNDS):
        chance.shuffle(people)
        batches.append({user_id: EPOCH + chance.randrange(MOST) for user_id in people})
    return batches


def write(batch: dict[int, int]) -> None:
    try:
        actions.store_last_seen(batch)
    finally:
        connection.close()


if __name__ == "__main__":
    batches = rounds(int(sys.argv[1]))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, batches))
    highest = {user_id: max(batch[user_id] for batch in batches) for user_id in batches[0]}
    sys.stdout.write(json.dumps(highest))
