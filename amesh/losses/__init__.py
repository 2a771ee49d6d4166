"""Losses: functions of predictions and ground truth, and their configuration."""
