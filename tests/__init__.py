"""The tests: laws on shared strategies, oracles that share no code with what they check."""
