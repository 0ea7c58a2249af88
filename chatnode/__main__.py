"""`python -m chatnode` is the `chatnode` command."""

from chatnode.cli import main

if __name__ == "__main__":
    main()
