"""Dashboards: what a file defines, read at once for one viewer, as labels and series."""
