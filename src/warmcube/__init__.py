"""warmcube: whole tables of measures, warm in Redis, answered per user in about a millisecond."""

__version__ = "0.1.0"
