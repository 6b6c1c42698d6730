"""What pruning loses, and what it does not: one question a file."""
