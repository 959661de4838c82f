"""Runs the command `keras-hrnet` as `python -m keras_hrnet`, for environments whose scripts are not on the path."""

from keras_hrnet.cli import main

if __name__ == "__main__":
    main()
