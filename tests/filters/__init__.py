"""The filter language and the collections that speak it."""
