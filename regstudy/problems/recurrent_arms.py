"""The arms of the study of recurrent dropout, where the noise acts and on what schedule; what was claimed for them."""

from dataclasses import dataclass

from regbook.task import Arm, grid
from reglib.noise.kinds import Bernoulli, Zoneout
from reglib.train.technique import Technique
from regstudy.problem import Claim

RATES = (0.1, 0.25, 0.5)
STEPS = -2  # the axis of time in (..., B, T, H): shared, there is one mask a sequence


@dataclass(frozen=True)
class Way:
    """One way to regularize, its ``name`` and what it does in ``words``.

    ``places`` are those of the noise, all with the same rate; ``kind`` is the kind of `reglib.noise.kinds`, and
    ``shared`` the axes with one draw; ``source`` is who proposes it.
    """

    name: str
    words: str
    places: tuple
    source: str
    kind: type = Bernoulli
    shared: tuple | int = ()

    def arm(self, learning_rates):
        """Return the `regbook.task.Arm` with its 6 settings, values of ``rate`` and ``learning_rate``.

        ``learning_rates`` are the task's, the higher one first. Each of the `RATES` is tried with both. Without noise
        there is no rate: the six are learning rates, from a third of the lower one to three times the higher one.
        """
        high, low = learning_rates
        settings = grid(rate=RATES, learning_rate=(high, low))
        if not self.places:
            settings = grid(rate=(0.0,), learning_rate=(3 * high, high, (high * low) ** 0.5, low, low / 2, low / 3))
        return Arm(self.name, settings, self.technique, words=self.words, source=self.source)

    def technique(self, setting):
        """Return the noise at the ``setting``'s rate."""
        return Technique(noise={place: self.kind(setting.rate, self.shared) for place in self.places})


ARMS = {
    way.name: way
    for way in (
        Way("none", "no noise", (), ""),
        Way("input_output", "input and output, per step", ("input", "output"), "Zaremba et al. 2014"),
        Way("state", "h and c, per step", ("state_h", "state_c"), "TensorFlow's DropoutWrapper"),
        Way("state_h", "h, per step; c kept", ("state_h",), "TensorFlow's DropoutWrapper, its default"),
        Way(
            "variational",
            "input, h and output, once a sequence",
            ("input", "recurrent", "output"),
            "Gal and Ghahramani 2016",
            shared=STEPS,
        ),
        Way(
            "recurrent", "h in the products, once a sequence", ("recurrent",), "Keras' recurrent_dropout", shared=STEPS
        ),
        Way("candidate", "candidate, per step", ("candidate",), "Semeniuta et al. 2016"),
        Way(
            "zoneout",
            "h and c keep their old value, per step",
            ("zone_h", "zone_c"),
            "Krueger et al. 2017",
            kind=Zoneout,
        ),
    )
}

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
