"""What thin pairs lose: one question a file."""
