"""The repeated background work of issues."""

from issues.following.loop import LOOP_S, follow_tickets
from issues.following.recurrences import announce_recurrences
from issues.following.remote_links import send_due_remote_links
from issues.jobs.workers import run_due_jobs
from issues.outgoing_events import announce_slow_events, deliver_webhooks
from issues.recovery import recover_due
from issues.rules.evaluation import run_due_rules
from issues.sweep import sweep_due
from killthenoise.background import repeat

repeat(recover_due, every_s=30)
repeat(sweep_due, every_s=60)
repeat(send_due_remote_links, every_s=10)
repeat(follow_tickets, every_s=LOOP_S)
repeat(run_due_rules, every_s=30)
repeat(announce_recurrences, every_s=60)
repeat(run_due_jobs, every_s=2)
repeat(announce_slow_events, every_s=60)
repeat(deliver_webhooks, every_s=1)
