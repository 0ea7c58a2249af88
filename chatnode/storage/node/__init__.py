"""What the node keeps about itself: plugins and jobs."""
