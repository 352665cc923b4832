"""What makes the documentation site: pages from the code, links, and the laws of the result."""
