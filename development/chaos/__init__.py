"""Proof by faults: many tickets, everything that can fail failing, books balanced.

`make chaos`; docs/exactly-once.md explains it.
"""
