"""`python -m keras_hrnet`: the command `keras-hrnet`, for whom its folder of scripts is not on the path."""

from keras_hrnet.cli import main

main()
