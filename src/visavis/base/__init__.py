"""Tools that every room uses: files, arrays, networks, the clock, the console."""
