"""What is legal though it looks bad, and what needs no valid call; every line says why."""

# Results: plain records, made by the functions that return them and taken apart by the reader.
RECORDS = (
    "convert.conventions.Row",
    "gradcheck.Comparison",
    "gradcheck.Report",
    "*.Cache",
    "linear.solvers.Fit",
    "linear.solvers.Path",
    "nets.net.Gradients",
    "train.loop.Minibatches",
    "train.loop.Run",
    "train.optim.State",
    "train.technique.State",
)

# Called behind a door that has checked, or checks themselves; and what a subclass overrides.
INSIDE = (
    "layers.cells.*.gradients",
    "layers.*.kept",
    "layers.*.prepare",
    "layers.*.project",
    "layers.*LSTM.step",
    "layers.cells.*.step",
    "layers.cells.*.step_backward",
    "layers.*LSTM.step_backward",
    "layers.*LSTM.gradients",
    "layers.norm.normalize*",
    "layers.recurrent.Cache.of",
    "nets.net.Net.check",
    "nets.net.Net.forward",
    "nets.net.Net.names",
    "nets.net.noisy",
    "nets.net.shared",
    "noise.masks.gate",
    "noise.places.checked",
    "weights.parameters.words",
)

_FLOATS = ("NaN", "infinity", "minus one", "no axes")
_LENGTHS = ("empty", "no axes", "wrong length")
_PER_REPLICA = ("float16", "integers", "two axes more", "empty")

# Calls that end with a result: pattern of "name(argument)", the bad values, and why they are legal there.
ALLOWED = (
    # Arrays and shapes of any size.
    ("layers.activations.*(x)", (*_FLOATS, *_LENGTHS), "an array of any shape; NaN and infinity are passed on"),
    ("layers.conv.*(x)", ("wrong length",), "any number of channels"),
    ("layers.conv.average_pool2d_backward(grad)", ("wrong length",), "any number of channels"),
    ("nets.*.places(x)", ("wrong length",), "the inputs are those of the network, whatever x has"),
    ("nets.mlp.MLP(sizes)", ("wrong length",), "any number of layers"),
    ("nets.variational.kl*(log_alpha)", ("minus one", *_LENGTHS), "numbers of any sign, in any shape"),
    ("noise.affine.Noise(*)", (*_FLOATS, *_LENGTHS), "any shape: the activations decide"),
    ("noise.affine.*(h)", _FLOATS, "an h without axes is shared by the whole noise"),
    ("noise.affine.apply_backward(grad)", _FLOATS, "as for h"),
    ("noise.kinds.*.given(mask)", ("float16", "bool", *_LENGTHS), "zeros and ones in any shape"),
    ("noise.*(shape)", ("integers", "empty", "wrong length"), "a shape of any length, also as an array"),
    ("noise.masks.probabilities(masks)", ("empty", "wrong length"), "any number of units"),
    ("noise.expected.solution(x)", ("wrong length",), "any number of inputs"),
    ("convert.layouts.*(shape)", ("wrong length",), "any number of spatial axes"),
    ("convert.layouts.transpose_dense(weight)", ("float16", "integers", "wrong length"), "nothing is computed"),
    ("convert.layouts.lstm_torch_to_keras(weight_ih)", ("wrong length",), "any number of inputs"),
    ("weights.penalties.soft_threshold(w)", ("minus one", *_LENGTHS), "an array of any shape"),
    ("weights.penalties.Penalty.*(w)", ("minus one", "ragged", "two axes more", *_LENGTHS), "any arrays, or lists"),
    ("weights.penalties.Penalty.broadcast(w)", _FLOATS, "only the shape counts"),
    ("weights.penalties.Penalty.for_replicas(shape)", ("integers", "empty", "wrong length"), "a shape of any length"),
    ("weights.penalties.GroupLasso.scaled_norms(w)", ("wrong length",), "the second axis is free"),
    ("linear.filters.*(eigenvalues)", _LENGTHS, "any number of directions"),
    ("linear.filters.ridge_factors(l2)", ("float16", "integers"), "strengths, which become floats"),
    ("train.loop.EarlyStopping.read(curve)", ("float16", "integers", "wrong length"), "measurements of any type"),
    ("linear.duality.dual_scale(v)", ("wrong length",), "any number of coefficients"),
    ("linear.solvers.*(X)", ("wrong length",), "any number of columns"),
    ("linear.solvers.path(strengths)", ("float16", "wrong length"), "any number of strengths"),
    ("predict.ensemble.*(probabilities)", ("wrong length",), "any number of classes; that they sum to 1 is not asked"),
    ("predict.ensemble.monte_carlo(counts)", ("wrong length",), "any number of counts"),
    ("gradcheck.*(x)", ("minus one", "no axes", "wrong length"), "an array of any shape, or a number"),
    # Numbers that may be negative, or one a replica (any numbers become float64).
    ("*(forget_bias)", ("minus one",), "a number of any sign"),
    ("noise.kinds.*(mean)", ("minus one",), "a number of any sign"),
    ("noise.*(rate)", _PER_REPLICA, "one rate a replica, or an input"),
    ("noise.kinds.Additive(std)", _PER_REPLICA, "one a replica"),
    ("train.optim.*(*)", _PER_REPLICA, "one number a replica"),
    ("weights.penalties.*(l[12])", _PER_REPLICA, "one strength a replica"),
    ("weights.penalties.ElasticNet.from_ratio(*)", _PER_REPLICA, "one a replica"),
    ("weights.averaging.EMA(decay)", _PER_REPLICA, "one decay a replica"),
    ("weights.averaging.Averaging.predict(rng)", ("*",), "nothing is drawn"),
    ("weights.averaging.Averaging.predict(memory)", ("dict",), "whatever else is remembered"),
    ("weights.penalties.soft_threshold(threshold)", ("float16", "integers"), "broadcasts to w"),
    ("linear.solvers.ridge(l2)", _PER_REPLICA, "a whole path"),
    ("convert.conventions.*(steps)", ("no axes",), "here a number that need not be whole"),
    # Integers in an array where integers are meant.
    ("noise.kinds.*(shared)", ("minus one",), "one axis, from the end"),
    ("noise.masks.noise_shape(shared)", ("minus one", "integers", "empty", "wrong length"), "axes, or none"),
    ("train.loop.minibatches(rows)", ("integers",), "the rows themselves"),
    ("weights.penalties.*(groups)", ("integers", "wrong length"), "labels; w comes later, or has this length"),
    ("weights.penalties.Penalty.take(index)", ("integers",), "replicas, each as often as wanted"),
    # Words that meet the parameters, or the measures, only later; names of any parameter.
    ("*(on)", ("string",), "the name of a parameter"),
    ("train.optim.*(decay_on)", ("string",), "the name of a parameter"),
    ("train.loop.EarlyStopping(measure)", ("string",), "the name of a measure"),
    ("weights.parameters.*(name)", ("string",), "any name: None is returned"),
    # None, and containers of which less is legal.
    ("noise.affine.apply*(noise)", ("None",), "no noise"),
    ("train.technique.Technique(*)", ("None",), "nothing of this kind"),
    ("*(noise)", ("wrong length",), "a place without noise"),
    ("noise.places.*(kinds)", ("wrong length",), "a place without noise"),
    ("noise.kinds.Kind.expected(shape)", ("*",), "needs no shape; see those of Bernoulli and Zoneout"),
    ("train.optim.Optimizer.step(grads)", ("None in it",), "a parameter that is not trained"),
    ("train.optim.Optimizer.init(params)", ("ragged", "dict", "wrong length"), "any arrays: lists of them, dicts"),
    ("train.technique.start(params)", ("ragged", "dict", "wrong length"), "as for Optimizer.init"),
    ("train.technique.Technique.output(memory)", ("dict",), "whatever the technique remembers"),
    ("train.loop.train(batches)", ("empty",), "no step"),
    ("weights.parameters.choose(params)", ("wrong length", "None in it", "string in it"), "only the names count"),
)

# NaN that does not come out: values that do not enter the result.
UNUSED = (
    "*.dense_parameter_gradients(w)",  # of w only the shape
    "*.conv2d_parameter_gradients(w)",
    "*.places(x)",  # shapes
    "*.Penalty.broadcast(w)",
)

# Errors of the caller's own function, which is handed what stands in place of the argument.
FOREIGN = (
    "weights.parameters.each(params)",
    "gradcheck.*(x)",
)

# Float64 out of float32.
FLOAT64 = (
    "linear.solvers.*",  # strengths and gaps; that coefficients have the dtype of the data is tested there
    "predict.metrics.accuracy",  # shares of counts, which are integers
    "predict.metrics.reliability",
    "predict.metrics.calibration_error",
)
