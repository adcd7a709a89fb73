"""What warmcube is measured against, each as well as those who use it would write it."""
