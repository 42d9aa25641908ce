"""What the terminal sees of each command; nothing heavy is imported before a command runs."""
