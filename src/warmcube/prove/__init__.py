"""The isolation kit: tries to find an answer that shows somebody what they may not see.

What it expects it works out by itself: `records`, `predicate`, `sql` and `canonical` read the
directory, decide and compare without a line of the code that is being judged. A linter's contract
keeps it so.
"""
