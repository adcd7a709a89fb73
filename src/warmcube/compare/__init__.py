"""The cache beside its database: whether both hold the same, and what of the cache isn't whole."""
