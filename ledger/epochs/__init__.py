"""What counters say beside the presses that are stored: epochs, and what follows from a history."""
