"""What devices and operators say to Ozone machines, and hear of them."""
