"""What all that talk to Postgres share: how its URLs are read, and small connections to it."""
