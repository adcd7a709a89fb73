"""Processes behind a port: sockets, limits on connections, workers, and their supervisor."""
