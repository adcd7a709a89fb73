"""Keys, seals, records, counts and manifests: what lies in the store, byte by byte."""
