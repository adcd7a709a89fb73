"""The databases: one protocol (`warmcube.source.api`) and an adapter per kind of server."""
