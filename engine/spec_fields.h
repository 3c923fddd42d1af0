/*
 * spec_fields.h - the table of every number, choice and switch in a spec: its limits, its value in
 * each preset, and its meaning.
 *
 * A file that includes this table first defines
 *
 *     FIELD(group, name, limits, default, sinai2022, table, images, large, saved, doc)
 *
 * and, if it uses them, GROUP(name, doc) and the forms of limits: RANGE(minimum, maximum),
 * EVEN(minimum, maximum), STEPS(minimum, maximum, step), ONLY(value), ONE_OF(names), and SWITCH. Rows that say
 * something of images only are IMAGE instead of FIELD; a PAIR of numbers with the same limits is two of these,
 * unless it is defined, too.
 *
 * A field is the member spec.group.name of a struct dn_spec; the type of the member is the type of
 * the field. `default` to `large` are the presets. The API shows the rows in this order. A
 * saved model stores them in the order of `saved`, which counts from 1; that of points has no rows of
 * IMAGE. A field with saved = 0 does not change the model and is not stored in it; a loaded model has
 * the minimum in fields that are not stored.
 */
#ifndef GROUP
#define GROUP(name, doc)
#endif
#ifndef IMAGE
#define IMAGE FIELD
#endif
#ifndef PAIR
#define PAIR(group, name, low, high, step, default_, sinai2022, table, images, large, saved, doc)  \
    IMAGE(group, name[0], STEPS(low, high, step), PAIR_FIRST default_, PAIR_FIRST sinai2022,       \
          PAIR_FIRST table, PAIR_FIRST images, PAIR_FIRST large, saved, doc)                       \
    IMAGE(group, name[1], STEPS(low, high, step), PAIR_SECOND default_, PAIR_SECOND sinai2022,     \
          PAIR_SECOND table, PAIR_SECOND images, PAIR_SECOND large, (saved) + 1, doc)
#endif
#define PAIR_FIRST(first, second)  first
#define PAIR_SECOND(first, second) second

// clang-format off
GROUP(diffusion, "The forward process.")
FIELD(diffusion, timesteps, RANGE(1, DN_MAX_TIMESTEPS), 100, 40, 100, 1000, 1000, 1,
      "Number of diffusion steps T.")
FIELD(diffusion, beta_schedule, ONE_OF(dn_beta_schedule_names), DN_BETA_LOG_LINEAR,
      DN_BETA_LINEAR, DN_BETA_LOG_LINEAR, DN_BETA_COSINE, DN_BETA_COSINE, 2,
      "How the noise per step grows. log_linear: noise/signal grows geometrically from ratio_min "
      "to ratio_max; flow: a straight line from data to noise.")
FIELD(diffusion, beta_start, RANGE(DN_MIN_BETA, DN_MAX_BETA_START), 1e-4, 8e-6, 1e-4, 1e-4, 1e-4, 3,
      "First beta of a linear or quadratic schedule, as for T = 1000; multiplied by 1000/T.")
FIELD(diffusion, beta_end, RANGE(DN_MIN_BETA, DN_MAX_BETA_END), 0.02, 9e-5, 0.02, 0.02, 0.02, 4,
      "Last beta of a linear or quadratic schedule, as for T = 1000; multiplied by 1000/T.")
FIELD(diffusion, ratio_min, RANGE(DN_MIN_RATIO_MIN, DN_MAX_RATIO_MIN), 0.002, 0.002, 0.01, 0.002,
      0.002, 28,
      "noise/signal at the first timestep of a log_linear schedule.")
FIELD(diffusion, ratio_max, RANGE(DN_MIN_RATIO_MAX, DN_MAX_RATIO_MAX), 80, 80, 10, 80, 80, 29,
      "noise/signal at the last timestep of a log_linear schedule. Sampling starts from noise, so "
      "use at least 10.")
FIELD(diffusion, prediction_type, ONE_OF(dn_prediction_names), DN_V, DN_EPSILON, DN_V, DN_V, DN_V,
      5,
      "What the network predicts: the noise, the data, v = signal * eps - noise * x0, or the flow "
      "eps - x0. All but the data (sample) need the full information of the noise to pass "
      "through hidden_size: unless hidden_size is several times the number of dimensions, sample "
      "learns better.")
FIELD(diffusion, zero_terminal_snr, SWITCH, false, false, false, false, false, 6,
      "Rescale the schedule so that no signal is left at T; not with epsilon.")

GROUP(network, "The denoising network. A network for images has the fields channels, blocks and patch, "
      "one for points all others.")
IMAGE(network, kind, ONE_OF(dn_network_kind_names), DN_MLP, DN_MLP, DN_MLP, DN_MLP, DN_MLP, 32,
      "unet for images, mlp for all other data; it follows from the data.")
FIELD(network, hidden_size, EVEN(DN_MIN_HIDDEN_SIZE, DN_MAX_HIDDEN_SIZE), 32, 32, 128, 32, 32, 7,
      "Width of each hidden layer H.")
FIELD(network, hidden_layers, RANGE(1, DN_MAX_HIDDEN_LAYERS), 6, 3, 3, 6, 6, 8,
      "Number of hidden layers L.")
FIELD(network, time_embedding, ONE_OF(dn_time_embedding_names), DN_SINUSOIDAL, DN_SINUSOIDAL,
      DN_SINUSOIDAL, DN_SINUSOIDAL, DN_SINUSOIDAL, 9,
      "How the timestep is encoded for each layer.")
FIELD(network, conditioning, ONE_OF(dn_conditioning_names), DN_MULTIPLY, DN_ADD, DN_MULTIPLY,
      DN_MULTIPLY, DN_MULTIPLY, 10,
      "How the time embedding is combined with each layer.")

FIELD(network, input_features, RANGE(0, DN_MAX_INPUT_FEATURES), 0, 0, 3, 0, 0, 27,
      "Octaves of Fourier features of the input: the first layer also reads sin and cos of 3x, 6x, "
      "12x and so on of each coordinate x. They help with steps and fine lines in the data; 3 suits "
      "tables.")

FIELD(network, output_levels, RANGE(0, DN_MAX_OUTPUT_LEVELS), 0, 0, 8, 0, 0, 31,
      "Outputs for each coordinate of data with the normalization quantile. A column with few values "
      "takes one for each value, and is predicted by the values' probabilities, which is better for "
      "categories; those with the fewest values come first. 0: one output predicts each "
      "coordinate.")

PAIR(network, channels, DN_MIN_CHANNELS, DN_MAX_CHANNELS, 16, (32, 64), (32, 64), (32, 64), (32, 64),
     (64, 128), 33,
     "Channels at half and at a quarter of the resolution of an image.")
PAIR(network, blocks, 1, DN_MAX_BLOCKS, 1, (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), 35,
     "Residual blocks at half and at a quarter of the resolution of an image, down; up there are as "
     "many.")
IMAGE(network, patch, ONLY(2), 2, 2, 2, 2, 2, 0,
      "Side of the squares of pixels that the first layer reads as one: 2.")

GROUP(training, "The optimization (AdamW).")
FIELD(training, epochs, RANGE(1, DN_MAX_EPOCHS), 1000, 100, 500, 20, 40, 11,
      "Passes over the data. In the preset table, they follow from the data: as many steps as training "
      "points, at least 1,000 (up to 2,000 for less than a batch) and at most 12,000.")
FIELD(training, batch_size, RANGE(1, DN_MAX_BATCH_SIZE), 512, 32, 512, 128, 128, 12,
      "Points per training step; the last batch of an epoch may be smaller.")
FIELD(training, learning_rate, RANGE(1e-9, 10), 3e-3, 1e-3, 4e-3, 2e-3, 2e-3, 13,
      "Adam's step size.")
FIELD(training, loss, ONE_OF(dn_loss_names), DN_MSE, DN_MSE, DN_MSE, DN_MSE, DN_MSE, 15,
      "Loss function of the error d: mse d^2, mae |d|, huber d^2/2 up to |d| = 1 and |d| - 1/2 "
      "beyond.")
FIELD(training, min_snr_gamma, RANGE(0, 1e6), 0, 0, 0, 0, 0, 16,
      "Weight the squared error of the estimate of the data by min(SNR, gamma), also in the "
      "reported loss; 0 for no weights.")
FIELD(training, timestep_focus, RANGE(0, 1000), 0, 0, 0.3, 0, 0, 17,
      "The noise/signal ratio that training concentrates on: half of each batch has less noise, "
      "half more, whatever the schedule. Fine lines in the data need low values, 0.05 to 0.5. 0: "
      "all timesteps equally.")
FIELD(training, validation_fraction, RANGE(0, 0.9), 0.1, 0.1, 0.1, 0.1, 0.1, 18,
      "Size of the validation set, as a fraction of n: additional points of a built-in data set, "
      "or points of an upload that training does not use.")
FIELD(training, normalization, ONE_OF(dn_normalization_names), DN_STANDARDIZE, DN_MINMAX,
      DN_QUANTILE, DN_MINMAX, DN_MINMAX, 14,
      "How data is scaled for the network: all axes jointly to [-1, 1], each axis to mean 0 and "
      "standard deviation 1/2, or none for data that already has the right scale; or quantile: each "
      "axis by ranks to a normal distribution, so that repeated values come back exactly and "
      "nothing lies outside the range of the data. Images are always minmax: bytes to [-1, 1].")
FIELD(training, ema_decay, RANGE(0, 0.999999), 0.999, 0, 0.999, 0.999, 0.999, 19,
      "Decay of the exponential moving average of the weights, which samples are drawn from; 0 "
      "for no average.")
FIELD(training, lr_schedule, ONE_OF(dn_lr_schedule_names), DN_LR_COSINE, DN_LR_CONSTANT,
      DN_LR_COSINE, DN_LR_COSINE, DN_LR_COSINE, 21,
      "How the learning rate changes during training: constant, or down to 0 along half a cosine "
      "or a straight line.")
FIELD(training, lr_warmup_steps, RANGE(0, 1000000), 0, 0, 0, 0, 0, 22,
      "Steps in which the learning rate rises from 0, before lr_schedule begins.")
FIELD(training, weight_decay, RANGE(0, 10), 0, 0, 0, 0, 0, 20,
      "Each step shrinks the weights by this value times the learning rate.")
FIELD(training, gradient_clip, RANGE(0, 1e9), 0, 0, 0, 1, 1, 23,
      "Maximum norm of the gradient; 0 for no limit.")
FIELD(training, p_uncond, RANGE(0, 1), 0.2, 0.2, 0.1, 0.1, 0.1, 24,
      "Fraction of points whose label is hidden in training, which guidance needs; no effect "
      "without classes.")
FIELD(training, conditioning, ONE_OF(dn_given_names), DN_GIVEN_NONE, DN_GIVEN_NONE, DN_GIVEN_ANY,
      DN_GIVEN_NONE, DN_GIVEN_NONE, 30,
      "any: the model also learns to be given any coordinates of a point and to draw the others, for "
      "`given` and `rows` of a request for samples. Half of the points of each batch show a random "
      "share of their coordinates.")
FIELD(training, keep_best, SWITCH, false, false, false, false, false, 25,
      "Keep the model of the epoch with the lowest validation loss instead of the last one.")
FIELD(training, checkpoint_every, RANGE(1, DN_MAX_EPOCHS), 20, 1, 25, 1, 1, 26,
      "Epochs between checkpoints; the first and the last epoch always save one. In the preset table, "
      "a twentieth of the epochs.")
FIELD(training, evaluate_every, RANGE(0, DN_MAX_EPOCHS), 0, 0, 0, 0, 0, 0,
      "Epochs between measurements of curve_distance and energy_distance in the history; 0 for "
      "none. They do not affect training.")
FIELD(training, threads, RANGE(0, DN_MAX_THREADS), 1, 1, 1, 0, 0, 0,
      "Number of threads for each training step; the result does not depend on it. 0: as many as the "
      "machine that trains has cores, shared equally among all jobs that it trains at the time.")

// clang-format on

#undef FIELD
#undef IMAGE
#undef PAIR
#undef PAIR_FIRST
#undef PAIR_SECOND
#undef GROUP
#undef RANGE
#undef EVEN
#undef STEPS
#undef ONLY
#undef ONE_OF
#undef SWITCH
