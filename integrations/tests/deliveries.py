"""Waits for deliveries, which run in threads."""

from concurrent.futures import wait

from integrations.outgoing_webhooks import loop


def wait_for_deliveries() -> None:
    """Wait for the deliveries that this process has started."""
    for lane in loop._get_lanes():
        wait(lane._running)
