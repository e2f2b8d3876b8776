"""The log: secrets out, lines kept where every process's lines can be searched, lines sent on.

`redaction` takes secrets out. `capture` hands each line to the `pump` of its process, one thread
that writes batches to the `store`, tells live listeners and feeds the `exporter`.

Nothing in here may log: a line about a line that could not be kept would come back to itself.
"""
