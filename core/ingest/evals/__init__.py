"""Results of eval tools become runs, samples and items."""
