"""The audit: who asked for what, as whom, and what came of it, as lines of JSON."""
