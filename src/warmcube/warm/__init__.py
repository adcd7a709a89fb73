"""Warming: from a table to a published snapshot."""
