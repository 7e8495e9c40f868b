"""What gateway devices send: ingest, storing, latest, history."""
