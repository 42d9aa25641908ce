"""Tests of the Pulumi program and everything pure behind it; none needs a cluster."""
