"""Files in messages: which may be posted, who may see what about them."""
