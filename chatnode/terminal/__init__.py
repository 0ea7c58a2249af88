"""`chatnode chat`, piece by piece.

chatting.py (the command) ─ login ─ tokens
        │
        ├─ interactive ─ session ─ slash        a terminal: prompt, notes, /commands
        └─ piped                                lines in, lines out
                └── room ─ desk ─ lines ─ style ─ printable
"""
