"""Tools that all packages use: files, arrays, networks, the clock, the console."""
