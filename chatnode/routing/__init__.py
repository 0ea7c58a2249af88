"""From committed events to live sessions: audience, encoding once, handing out, and catching up."""
