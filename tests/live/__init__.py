"""Real clients against the running application and a local fake provider."""
