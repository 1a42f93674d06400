"""What the pages of `web` and `label` have in common: a server in a thread, its guard, their files."""
