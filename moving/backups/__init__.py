"""Copies of the whole database beside a serving server, and the way back: `backup`, `restore`."""
