"""One file for each part of the site. Every view is framed by `pages.frame`."""
