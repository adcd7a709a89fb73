"""The store: Redis or Valkey behind one small interface."""
