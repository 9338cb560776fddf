"""Metrics, logs, alerts, webhooks and event-loop lag."""
