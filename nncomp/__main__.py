"""`python -m nncomp`: the program, where it is not on the path."""

from nncomp.cli import main

if __name__ == "__main__":
    main()
