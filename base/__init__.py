"""Errors, moments, settings, progress: nothing of the business."""
