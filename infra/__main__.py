"""What `pulumi` runs: read the settings, refuse what cannot work, declare the stack."""

from infra.run import run

run()
