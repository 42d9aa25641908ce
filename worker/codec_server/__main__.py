"""`python -m worker.codec_server`: decrypt for the UI until SIGTERM."""

import sys

from worker.codec_server.command import main

sys.exit(main())
