"""What has happened: opened, kept and ended, acknowledged and put off."""
