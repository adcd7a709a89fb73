"""Who somebody is: tokens, sessions, and signing in. What they may is the directory's matter."""
