"""What JSON for people needs: the view, query strings, problems, and the routes to sign in."""
