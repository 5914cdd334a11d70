"""Numbers that more than one part of the package needs."""

# The two constants for which a standard normal input gives SELU an output of mean 0 and variance 1 (Klambauer et al.
# 2017, Eq. 14).
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
