"""Networks that lift: their contract, their files, their cards, and the choice of one for a clip."""
