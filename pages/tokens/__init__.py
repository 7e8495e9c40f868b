"""Device Token Management."""
