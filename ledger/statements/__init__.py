"""What is billed: an outlet’s month, a draft until a person closes it, and then never changed."""
