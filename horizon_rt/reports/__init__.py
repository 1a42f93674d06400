"""Reports as pages, tables, plots and thumbnails; one look for all, and nothing loaded from elsewhere."""
