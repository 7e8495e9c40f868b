"""What people do about their channels: add, prove, change, try, stop."""
