"""Copies its input to its output without the start-up lines and INFO messages of libraries, in a separate process.

If the input ends without the line `ALL_WELL`, for example because the other process crashed, the lines that were held
back are shown.
"""

import collections
import re
import signal
import sys

ALL_WELL = b"keras-hrnet: all is well\n"

CHATTER = re.compile(
    rb"I\d{4} [\d:.]+ "  # INFO of Abseil, with the time of day, or seconds since 1970
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: I "  # INFO of TensorFlow
    rb"|INFO: "  # INFO of LiteRT, such as that XNNPACK is used
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    rb"|To enable the following instructions: "  # the second line of an INFO
    # The error on machines without a GPU driver: CUDA_ERROR_SHARED_OBJECT_INIT_FAILED.
    rb"|E\d{4} .*failed call to cuInit: .*\(303\)"
    # Warnings about arguments that TensorFlow passes to its own converter.
    rb"|W\d{4} .*tf_tfl_flatbuffer_helpers\.cc:\d+\] Ignored (?:output_format|drop_control_dependency)\."
)


def main() -> None:
    """Copies stdin to stdout until it ends."""
    # These signals reach both processes. The other process may still save and write, so this one waits for its input to
    # end.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP.
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    held, is_well = collections.deque(maxlen=1000), False
    for line in sys.stdin.buffer:
        if line == ALL_WELL:
            is_well = True
        elif CHATTER.match(line):
            held.append(line)
        else:
            _show(line)
    if not is_well:
        _show(b"".join(held))


def _show(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
