"""What a site says about itself at `/metrics`."""

from __future__ import annotations

import re
import urllib.request
from typing import TYPE_CHECKING

from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from tests.support.server import Site


def metric(site: Site, name: str, **labels: str) -> float:
    """The sum of all samples whose name ends so and that carry these labels; 0 if there are none."""
    address = f"{site.url}/metrics"
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own server
        text = answer.read().decode()
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    total = 0.0
    for line in text.splitlines():
        found = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
        if found is None or not found[1].endswith(name):
            continue
        if wanted <= set(re.findall(r'\w+="[^"]*"', found[2] or "")):
            total += float(found[3])
    return total
