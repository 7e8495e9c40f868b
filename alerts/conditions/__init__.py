"""What is looked for: one module a family, one row of `table` a condition."""
