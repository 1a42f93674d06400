"""Photographs turned level: which ones, how far, and the copies or sidecars that say so."""
