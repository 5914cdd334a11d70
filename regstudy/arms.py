"""The arms of the study of recurrent dropout: where the noise acts, and on what schedule."""

from dataclasses import dataclass

from reglib.layers import recurrent
from reglib.noise.places import ZONES, Noise

RATES = (0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Arm:
    """One way to regularize, its ``name`` and what it does in ``words``.

    ``places`` are fields of `reglib.noise.places.Noise`, all with the same rate; ``schedule`` is "step" or
    "sequence"; ``source`` is who proposes it.
    """

    name: str
    words: str
    places: tuple
    schedule: str
    source: str

    def draw(self, rng, cell, params, batch, steps, rate):
        """Draw the noise of one update."""
        rates = dict.fromkeys(self.places, rate)
        return recurrent.draw_noise(rng, cell, params, batch, steps, schedule=self.schedule, **rates)

    def inference(self, rate):
        """Return what acts at inference: for zoneout the mean of the mask, for dropout nothing."""
        zones = {place: rate for place in self.places if place in ZONES}
        return Noise(**zones) if zones else None

    def settings(self, task):
        """Return the settings to try, (rate, learning rate): 6 in every arm.

        Without noise there is no rate: the six are learning rates, from a third of the task's lower one to three times
        its higher one.
        """
        high, low = task.learning_rates
        if not self.places:
            return tuple((0.0, rate) for rate in (3 * high, high, (high * low) ** 0.5, low, low / 2, low / 3))
        return tuple((rate, learning_rate) for rate in RATES for learning_rate in (high, low))


ARMS = {
    arm.name: arm
    for arm in (
        Arm("none", "no noise", (), "step", ""),
        Arm("input_output", "input and output, per step", ("input", "output"), "step", "Zaremba et al. 2014"),
        Arm("state", "h and c, per step", ("state_h", "state_c"), "step", "TensorFlow's DropoutWrapper"),
        Arm("state_h", "h, per step; c kept", ("state_h",), "step", "TensorFlow's DropoutWrapper, its default"),
        Arm(
            "variational",
            "input, h and output, once a sequence",
            ("input", "recurrent", "output"),
            "sequence",
            "Gal and Ghahramani 2016",
        ),
        Arm("recurrent", "h in the products, once a sequence", ("recurrent",), "sequence", "Keras' recurrent_dropout"),
        Arm("candidate", "candidate, per step", ("candidate",), "step", "Semeniuta et al. 2016"),
        Arm("zoneout", "h and c keep their old value, per step", ("zone_h", "zone_c"), "step", "Krueger et al. 2017"),
    )
}
