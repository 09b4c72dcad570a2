"""The commands of `dijla`, one file each."""
