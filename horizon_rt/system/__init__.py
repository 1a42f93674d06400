"""What depends on the machine: its operating system, its folders, and what is kept there between starts."""
