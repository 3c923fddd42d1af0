"""Jobs with wrong fields. A row a field: what it may be at its limits, and what it may not be, written by hand."""

# What no field of a kind takes.
NO_NUMBER = ["5", "", None, True, False, [], [5], {}, {"value": 5}]
NO_TEXT = [5, 0, 1.5, None, True, [], ["spiral"], {}]
NO_BOOLEAN = [0, 1, "true", "yes", "", None, [], [True], {}]
NO_GROUP = [5, "x", None, True, [], [{}]]

# (path, good values, bad values); what else a good value needs stands in WITH
INTEGERS = [
    ("seed", [0, 1, 9007199254740991], [-1, 0.5, 9007199254740992, 1e16, 1e400, -1e400, -0.1]),
    ("dataset/n", [1, 1000000], [0, -1, 1000001, 1.5, 1e7, 1e400]),
    ("dataset/seed", [0, 9007199254740991], [-1, 0.5, 9007199254740992, 1e400]),
    ("diffusion/timesteps", [1, 4000], [0, -1, 4001, 10.5, 1e400, 1e-9]),
    ("network/hidden_size", [8, 10, 1024], [0, -8, 6, 7, 9, 33, 1023, 1025, 1026, 32.5, 1e400]),
    ("network/hidden_layers", [1, 8], [0, -1, 9, 1.5, 1e400]),
    ("training/epochs", [1, 1000000], [0, -5, 1000001, 2.5, 1e400]),
    ("training/batch_size", [1, 65536], [0, -1, 65537, 31.5, 1e400]),
    ("training/checkpoint_every", [1, 1000000], [0, -1, 1000001, 0.5, 1e400]),
    ("training/lr_warmup_steps", [0, 1, 1000000], [-1, 1000001, 1.5, 1e400]),
    ("network/input_features", [0, 3, 4], [-1, 5, 1.5, 1e400]),
    ("network/output_levels", [0, 8, 16], [-1, 17, 1.5, 1e400]),
    ("training/threads", [0, 1, 64], [-1, 65, 1.5, 1e400]),
]
NUMBERS = [
    ("diffusion/ratio_min", [1e-4, 0.01, 0.5], [0, -0.1, 9.9e-5, 0.51, 1e400]),
    ("diffusion/ratio_max", [1, 10, 1e4], [0, 0.99, -80, 10001, 1e400]),
    ("diffusion/beta_start", [1e-9, 1e-4, 0.002], [0, -1e-4, 1e-10, 0.51, 1, 1e400]),
    ("diffusion/beta_end", [1e-9, 0.02, 0.03], [0, -1e-4, 1e-10, 1, 0.9991, 1e400]),
    ("training/learning_rate", [1e-9, 0.5, 10], [0, -1e-3, 1e-10, 10.1, 1e400]),
    ("training/validation_fraction", [0, 0.5, 0.9], [-0.1, 0.91, 1, 1e400]),
    ("training/ema_decay", [0, 0.5, 0.999999], [-0.1, 1, 0.9999999, 1e400]),
    ("training/gradient_clip", [0, 1, 1e9], [-1, 1.1e9, 1e400]),
    ("training/weight_decay", [0, 0.01, 10], [-0.1, 10.1, 1e400]),
    ("training/min_snr_gamma", [0, 5, 1e6], [-1, 1.1e6, 1e400]),
    ("training/timestep_focus", [0, 0.3, 1000], [-0.1, 1001, 1e400]),
    ("training/p_uncond", [0, 0.5, 1], [-0.1, 1.1, 1e400]),
]
CHOICES = [
    ("preset", ["default", "sinai2022", "table"], ["", "Default", "default ", "sinai", "sinai2023", "none"]),
    ("dataset/name", ["spiral", "moons", "s_curve"], ["", "Spiral", "spirale", "../spiral", "moon"]),
    ("diffusion/beta_schedule", ["linear", "cosine", "sigmoid", "quadratic", "log_linear", "flow"], ["", "Linear", "linear ", "cosinus"]),
    ("diffusion/prediction_type", ["epsilon", "sample", "v_prediction", "flow"], ["", "eps", "Epsilon", "noise", "v"]),
    ("network/time_embedding", ["sinusoidal", "learned"], ["", "sin", "Learned", "none"]),
    ("network/conditioning", ["add", "multiply"], ["", "sum", "mul", "ADD"]),
    ("training/normalization", ["minmax", "standardize", "none", "quantile"], ["", "off", "min_max", "Standardize"]),
    ("training/conditioning", ["none", "any"], ["", "all", "Any", "mask"]),
    ("training/loss", ["mse", "mae", "huber"], ["", "l2", "MSE", "mean"]),
    ("training/lr_schedule", ["constant", "cosine", "linear"], ["", "Linear", "Cosine", "step"]),
]
BOOLEANS = [("diffusion/zero_terminal_snr", [False, True]), ("training/keep_best", [False, True])]
TEXTS = [("name", ["", None, "x", "x" * 100, "\U0001f600" * 25, "\u00e9" * 50], ["x" * 101, "\U0001f600" * 26, "\u00e9" * 51])]
GROUPS = ["diffusion", "network", "training"]

# Other fields that a good value goes with.
WITH = {
    "training/epochs": {"dataset": {"n": 1}},
    "training/batch_size": {"training": {"epochs": 1}},
    "dataset/n": {"training": {"epochs": 1, "batch_size": 1000}},
    "diffusion/beta_start": {"diffusion": {"beta_schedule": "linear", "timesteps": 1000, "beta_end": 0.02}},
    "diffusion/beta_end": {"diffusion": {"beta_schedule": "linear", "timesteps": 1000, "beta_start": 1e-9}},
}

# Fields that are fine alone and not together, and shapes of a whole job. (job, pointers)
WHOLE = [
    ([], [""]),
    (None, [""]),
    ("spiral", [""]),
    (42, [""]),
    (True, [""]),
    ([{}], [""]),
    ({"diffusion": {"beta_schedule": "linear", "timesteps": 10, "beta_end": 0.5}}, ["/diffusion/beta_end"]),
    ({"training": {"epochs": 1000000, "batch_size": 1}}, ["/training/epochs"]),
    ({"preset": "sinai2022", "diffusion": {"beta_schedule": "flow"}}, ["/diffusion/prediction_type"]),
    ({"diffusion": {"zero_terminal_snr": True, "prediction_type": "epsilon"}}, ["/diffusion/prediction_type"]),
    ({"diffusion": {"zero_terminal_snr": True, "timesteps": 1}}, ["/diffusion/zero_terminal_snr"]),
    ({"training": {"keep_best": True, "validation_fraction": 0}}, ["/training/keep_best"]),
    (
        {"diffusion": {"prediction_type": "epsilon", "beta_schedule": "quadratic", "beta_end": 0.7, "timesteps": 1387}},
        ["/diffusion/prediction_type"],
    ),
    (
        {"diffusion": {"prediction_type": "epsilon", "beta_schedule": "linear", "beta_end": 0.999, "timesteps": 1000}},
        ["/diffusion/prediction_type"],
    ),
    ({"dataset": 5}, ["/dataset"]),
    ({"dataset": None}, ["/dataset"]),
    ({"dataset": True}, ["/dataset"]),
    ({"dataset": []}, ["/dataset"]),
    ({"dataset": "spirale"}, ["/dataset"]),
    ({"dataset": ""}, ["/dataset"]),
    ({"dataset": {"size": 5}}, ["/dataset/size"]),
    ({"dataset": {"name": "spiral", "n": 0, "seed": -1}}, ["/dataset/n", "/dataset/seed"]),
    ({"seed": -1, "preset": "x", "name": 5}, ["/name", "/preset", "/seed"]),
    ({"network": {"hidden_size": 9, "hidden_layers": 0, "depth": 3}}, ["/network/depth", "/network/hidden_layers", "/network/hidden_size"]),
    ({f"f{i}": i for i in range(201)}, [""]),
    ({"training": {f"f{i}": i for i in range(201)}}, ["/training"]),
]  # fmt: skip

# Names that are no fields, in many ways. (text, pointer)
NAMES = [
    ('{"sed":1}', "/sed"),
    ('{"Seed":1}', "/Seed"),
    ('{"SEED":1}', "/SEED"),
    ('{"seed ":1}', "/seed "),
    ('{" seed":1}', "/ seed"),
    ('{"":1}', "/"),
    ('{"a/b~c":1}', "/a~1b~0c"),
    ('{"~1":1}', "/~01"),
    ('{"training.epochs":1}', "/training.epochs"),
    ('{"training/epochs":1}', "/training~1epochs"),
    ('{"epochs":5}', "/epochs"),
    ('{"n":5}', "/n"),
    ('{"training":{"epoch":5}}', "/training/epoch"),
    ('{"training":{"Epochs":5}}', "/training/Epochs"),
    ('{"training":{"training":{}}}', "/training/training"),
    ('{"training":{"seed":1}}', "/training/seed"),
    ('{"diffusion":{"hidden_size":8}}', "/diffusion/hidden_size"),
    ('{"dataset":{"dataset":"spiral"}}', "/dataset/dataset"),
    ('{"__proto__":{}}', "/__proto__"),
    ('{"constructor":{}}', "/constructor"),
    ('{"$ref":"x"}', "/$ref"),
    ('{"id":"x"}', "/id"),
    ('{"status":"succeeded"}', "/status"),
    ('{"created_at":"2020-01-01T00:00:00Z"}', "/created_at"),
    *(('{"name":"a%sb"}' % odd, "/name") for odd in ("\\b", "\\f", "\\u0001", "\\u001b", "\x7f", "\u009b", "\u202e", "\\u202a", "\u2066", "\\u2069")),
    ('{"\\u0073ee":1}', "/see"),
    ('{"\U0001f600":1}', "/\U0001f600"),
    ('{"' + "x" * 1000 + '":1}', None),
    ('{"seed":1,"seed":1}', "/seed"),
    ('{"seed":1,"\\u0073eed":2}', "/seed"),
    ('{"training":{"epochs":5,"epochs":6}}', "/training/epochs"),
    ('{"training":{},"training":{}}', "/training"),
    ('{"dataset":"spiral","dataset":"moons"}', "/dataset"),
    ('{"name":"a","name":null}', "/name"),
]


def job(path, value, base=None):
    """The job with one field set."""
    whole = {key: dict(group) if isinstance(group, dict) else group for key, group in (base or {}).items()}
    group, _, name = path.rpartition("/")
    (whole.setdefault(group, {}) if group else whole)[name] = value
    return whole


def rows():
    """(path, value, job, is it good)"""
    booleans = [(path, good, []) for path, good in BOOLEANS]
    kinds = [(booleans, NO_BOOLEAN), (INTEGERS, NO_NUMBER), (NUMBERS, NO_NUMBER), (CHOICES, NO_TEXT), (TEXTS, [no for no in NO_TEXT if no is not None])]
    for table, never in kinds:
        for path, good, bad in table:
            for value in good:
                yield path, value, job(path, value, WITH.get(path)), True
            for value in bad + never:
                yield path, value, job(path, value), False
    for name in GROUPS:
        yield name, {}, {name: {}}, True
        for value in NO_GROUP:
            yield name, value, {name: value}, False
