"""What takes too long for a test: timings beside other libraries, processes killed a thousand times, files mutated."""
