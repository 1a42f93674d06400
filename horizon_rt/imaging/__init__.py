"""Pictures in and out: colours, drawing on planes, video files and their sound."""
