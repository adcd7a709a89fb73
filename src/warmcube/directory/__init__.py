"""Where the directory comes from, and the authoriser that makes grants of it."""
