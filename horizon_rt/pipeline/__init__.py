"""From a source to sinks through a tracker: threads, runs, batches of recordings."""
