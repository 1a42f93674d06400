"""What the operating system gives: files, folders, signals, drivers, and text for a terminal."""
