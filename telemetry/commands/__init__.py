"""Commands: what operators order and devices do."""
