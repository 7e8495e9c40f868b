"""Incidents, what nobody is told of meanwhile, and from when on somebody is."""
