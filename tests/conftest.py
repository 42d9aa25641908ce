"""What every test has: signals as in a terminal."""

import signal

# A shell starts what it runs in the background with Ctrl-C ignored, and every process of the tests would inherit that;
# a handler of Python's is none for them, so they begin as they would in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
