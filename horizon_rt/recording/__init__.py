"""Video and telemetry of a live source in segments, which survive a power cut (docs/recording.md)."""
