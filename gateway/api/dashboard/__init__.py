"""The dashboard: server-rendered pages over the reports."""
