"""The forms on our pages, a file for each part of the site."""
