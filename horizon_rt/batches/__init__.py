"""Many recordings: what is found, what is done and what is left, here or on a cluster, and their pages."""
