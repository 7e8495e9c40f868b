"""What devices say of themselves: counters, flags, vitals, firmware."""
