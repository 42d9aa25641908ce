"""`python -m worker.encryption`: make, rotate and check the keyring file."""

import sys

from worker.encryption.command import main

sys.exit(main())
