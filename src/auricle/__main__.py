"""``python -m auricle`` (what ``torchrun -m auricle`` needs) is the command ``auricle``."""

from auricle.cli import main

if __name__ == "__main__":
    main()
