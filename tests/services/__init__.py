"""What every command promises, told as dialogues between people."""
