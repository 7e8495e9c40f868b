"""The lower rooms: what a host project needs below device_gateway, under one name."""
