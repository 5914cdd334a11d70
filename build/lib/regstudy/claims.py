"""What was claimed for the arms of the study of recurrent dropout, by whom."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A claim: that arm ``a`` has a lower error than arm ``b``."""

    words: str
    a: str
    b: str
    source: str


CLAIMS = (
    Claim("dropout of input and output helps", "input_output", "none", "Zaremba et al. 2014"),
    Claim("one mask a sequence on input, h and output helps", "variational", "none", "Gal and Ghahramani 2016"),
    Claim("one mask a sequence beats state dropout per step", "variational", "state", "Gal and Ghahramani 2016"),
    Claim("candidate dropout helps", "candidate", "none", "Semeniuta et al. 2016"),
    Claim("candidate dropout beats state dropout per step", "candidate", "state", "Semeniuta et al. 2016"),
    Claim("zoneout helps", "zoneout", "none", "Krueger et al. 2017"),
    Claim("dropout of h in the products, once a sequence, helps", "recurrent", "none", "Keras' recurrent_dropout"),
    Claim("state dropout per step helps", "state", "none", "TensorFlow's DropoutWrapper"),
    Claim("state dropout that keeps c beats one that does not", "state_h", "state", "TensorFlow's DropoutWrapper"),
)
