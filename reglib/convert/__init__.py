"""The same strength, rate or layout in the convention of another library."""
