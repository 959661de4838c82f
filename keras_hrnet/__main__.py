"""`python -m keras_hrnet`: the command `keras-hrnet`, where its folder of scripts is not on the path."""

from keras_hrnet.cli import main

if __name__ == "__main__":
    main()
