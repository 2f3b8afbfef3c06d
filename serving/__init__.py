"""Serving: scores and reasons over HTTP, and the reviewers' pages."""
