"""Published runs: tidy CSV and JSON with provenance. Read by the pages, never written by them."""
