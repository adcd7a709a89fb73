"""Keeping data sources warm: when which is due, and the process that sees to it."""
