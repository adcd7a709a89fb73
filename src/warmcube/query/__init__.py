"""Queries: preparing, planning, looking up, evaluating, and what comes out."""
