"""Who teaches whom: one question a file."""
