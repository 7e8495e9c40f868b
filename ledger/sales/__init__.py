"""What was earned: presses by the price that held when and where they occurred."""
