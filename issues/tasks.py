"""What issues does again and again in the background."""

from issues.following import LOOP_S, follow_tickets
from issues.job_workers import run_due_jobs
from issues.recovery import recover_due
from issues.remote_links import send_due_remote_links
from issues.rules import run_due_rules
from issues.sweep import sweep_due
from killthenoise.background import repeat

repeat(recover_due, every_s=30)
repeat(sweep_due, every_s=60)
repeat(send_due_remote_links, every_s=30)
repeat(follow_tickets, every_s=LOOP_S)
repeat(run_due_rules, every_s=30)
repeat(run_due_jobs, every_s=2)
