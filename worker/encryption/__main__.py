"""`python -m worker.encryption`: make, rotate and check the keyring file."""

from worker.encryption.command import main
from worker.leaving import leave

leave(main())
