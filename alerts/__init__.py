"""What people are told, instead of having to look: conditions, incidents, and who hears of them."""
