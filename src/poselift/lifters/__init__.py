"""The networks that lift: their contract, their files, their cards, and which of them suits a clip."""
