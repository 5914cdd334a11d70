"""What `make lighthouse` measures the site with."""
