"""What every room may use: errors, JSON, progress."""
