"""The nouns that all parts share: columns and types, data sources, requests, scopes."""
