"""One valid call of every public function of reglib, and the bad values that take the place of its arguments."""
