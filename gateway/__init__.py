"""An OpenAI-compatible gateway that sends each request to the model that is good enough at the lowest cost."""
