"""The HTTP API: a thin shell around the engine, which decides nothing about rows itself."""
