"""What warmcube tells about itself: statistics, use."""
