"""Many parameter sets: drawn, simulated in batches, summarised; and which claims hold in how many of them."""
