"""What tests share: sources, readers, oracles."""
