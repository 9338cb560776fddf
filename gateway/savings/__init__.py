"""What routing saved, what it would have saved, and the evidence for both."""
