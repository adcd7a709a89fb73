"""Answering from the database when the cache can't, under the same grant."""
