"""The codec server: decrypts payloads for Temporal's UI and command line, which hold no keys.

Whoever reaches it reads every tenant's payloads: put it behind the login that protects the UI, and let the
network reach it from there only.
"""
