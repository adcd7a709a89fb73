"""The demo: believable practice data, sample users, and a check against plain SQL."""
