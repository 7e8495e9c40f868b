"""Thresholds that people set, of devices, of outlets, of all."""
