"""Which index sets a lookup reads, and what it takes for proof."""
