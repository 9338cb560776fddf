"""An OpenAI-compatible gateway that sends each request to the model that does the job for least money."""
