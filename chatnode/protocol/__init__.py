"""The wire: JSON, envelopes and frames. Nothing here does input or output."""
