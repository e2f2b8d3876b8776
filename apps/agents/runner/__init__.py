"""The process that works on an attempt: it claims, prepares, lets the agent speak, and concludes.

One event loop, one thread for the database, one writer. Nothing here decides what a state may
become: `operations` do, by conditional updates that name the epoch of our claim.
"""
