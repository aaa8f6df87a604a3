// Nothing: the headers that this target precompiles are what the unit tests share.
