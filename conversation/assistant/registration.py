"""What the assistant tells the core and its conversation when the app is ready."""

from commsite.realtime import registry


def register() -> None:
    """Declares the one event of runs; once."""
    registry.declare("run_event", registry.Delivery.STATE)
