"""Runs the product as on several machines, and takes one part after the other away."""
