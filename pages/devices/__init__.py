"""Devices: the list, one device, what is done to them."""
