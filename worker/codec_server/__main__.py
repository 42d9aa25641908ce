"""`python -m worker.codec_server`: decrypt for the UI until SIGTERM."""

from worker.codec_server.command import main
from worker.leaving import leave

leave(main())
