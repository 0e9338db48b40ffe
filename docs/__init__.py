"""The pages of the site, and what makes those of them that are generated."""
