"""What issues does again and again in the background."""

from collections import Counter

from issues.following import follow_due
from issues.job_workers import run_due_jobs
from issues.recovery import recover_due
from issues.remote_links import send_due_remote_links
from issues.rules import run_due_rules
from issues.sweep import sweep_due
from issues.ticket_events import announce_slow_events, deliver_webhooks
from killthenoise.background import repeat


def follow_tickets() -> Counter[str]:
    """Read the tickets that are due, as `follow_due`."""
    return Counter(changed=follow_due())


repeat(recover_due, every_s=30)
repeat(sweep_due, every_s=60)
repeat(send_due_remote_links, every_s=30)
repeat(run_due_rules, every_s=30)
repeat(run_due_jobs, every_s=2)
repeat(follow_tickets, every_s=2)
repeat(announce_slow_events, every_s=60)
repeat(deliver_webhooks, every_s=1)
