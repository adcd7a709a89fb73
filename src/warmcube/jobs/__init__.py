"""Warms as jobs: recorded in the store, so that every process knows of each and how far it is."""
