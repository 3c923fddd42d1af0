/* One row per problem code: its enumerator without PROBLEM_, its text, its status, and what it
 * means and what to do about it, for /docs and for an answer that has nothing better to say. */
PROBLEM(BAD_TARGET, "bad_target", 400,
        "The path or the query cannot be read: percent-encoding, UTF-8, a slash encoded in the "
        "path, or more than 64 parameters.")
PROBLEM(BAD_HEADER, "bad_header", 400,
        "A header has a character that is not allowed in it, is folded over several lines, or is "
        "given more than once and has only one value. `detail` says which.")
PROBLEM(BAD_HOST, "bad_host", 400, "Exactly one Host header is needed.")
PROBLEM(BAD_FRAMING, "bad_framing", 400,
        "Two programs could read the length of this request differently, so nobody should.")
PROBLEM(BAD_IDEMPOTENCY_KEY, "bad_idempotency_key", 400,
        "An Idempotency-Key is 1 to 255 bytes of text.")
PROBLEM(BAD_LAST_EVENT_ID, "bad_last_event_id", 400, "Last-Event-ID is not the id of an event.")
PROBLEM(INVALID_JSON, "invalid_json", 400,
        "The body is not JSON. `detail` says where, by line and column.")
PROBLEM(INVALID_CSV, "invalid_csv", 400, "The body is not CSV. `detail` says where, by line.")
PROBLEM(INVALID_NPY, "invalid_npy", 400, "The body is not a NumPy array that can be read here.")
PROBLEM(UNEXPECTED_BODY, "unexpected_body", 400, "This request takes no body.")
PROBLEM(KEY_NEEDED, "key_needed", 401,
        "The server asks for an API key: `Authorization: Bearer dn_...`.")
PROBLEM(INVALID_KEY, "invalid_key", 401, "The API key is not, or no longer, known to this server.")
PROBLEM(SCOPE_TOO_SMALL, "scope_too_small", 403, "The API key may only read.")
PROBLEM(FOREIGN_ORIGIN, "foreign_origin", 403,
        "A web page of another site may not change anything here, unless `--cors-origins` names "
        "its origin.")
PROBLEM(NO_SUCH_PATH, "no_such_path", 404, "No operation has this path.")
PROBLEM(NO_SUCH_JOB, "no_such_job", 404, "No job has this id, or none exists yet for `latest`.")
PROBLEM(NO_SUCH_MODEL, "no_such_model", 404, "No model has this id.")
PROBLEM(NO_SUCH_DATASET, "no_such_dataset", 404, "No data set has this name or id.")
PROBLEM(NO_MODEL_YET, "no_model_yet", 404, "The job has not come to its first checkpoint.")
PROBLEM(MODEL_DELETED, "model_deleted", 404,
        "The job has trained a model, which has been deleted since.")
PROBLEM(NOT_FOUND, "not_found", 404, "Nothing has this id.")
PROBLEM(METHOD_NOT_ALLOWED, "method_not_allowed", 405,
        "The path has other methods: see the Allow header.")
PROBLEM(NOT_ACCEPTABLE, "not_acceptable", 406,
        "This operation has no format that the Accept header allows.")
PROBLEM(JOB_ACTIVE, "job_active", 409,
        "The job is queued or runs, and that is in the way of what was asked.")
PROBLEM(JOB_RUNNING, "job_running", 409,
        "The job runs. Cancel it first, or delete it with `force=true`.")
PROBLEM(MODEL_IN_TRAINING, "model_in_training", 409,
        "The job of the model is queued or runs. Cancel it first, or delete the job.")
PROBLEM(IDEMPOTENCY_KEY_REUSED, "idempotency_key_reused", 422,
        "This Idempotency-Key came with another request before.")
PROBLEM(DATASET_BUILT_IN, "dataset_built_in", 409, "A built-in data set cannot be deleted.")
PROBLEM(DATASET_IN_USE, "dataset_in_use", 409,
        "A queued or running job trains on this data set: wait for it, or cancel it.")
PROBLEM(DATASET_MISSING, "dataset_missing", 409, "A data set that the job needs has been deleted.")
PROBLEM(DATASET_DIFFERS, "dataset_differs", 409,
        "The uploaded data set is not the one that the model's file describes: other points, other "
        "columns, or other classes.")
PROBLEM(BODY_TOO_LARGE, "body_too_large", 413, "The body is larger than this operation takes.")
PROBLEM(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415,
        "The Content-Type is none that this operation takes, or the body has a Content-Encoding.")
PROBLEM(RANGE_NOT_SATISFIABLE, "range_not_satisfiable", 416,
        "The Range begins behind the end of the answer.")
PROBLEM(EXPECTATION_FAILED, "expectation_failed", 417,
        "The only expectation that can be met is `Expect: 100-continue`.")
PROBLEM(MISDIRECTED_REQUEST, "misdirected_request", 421,
        "The Host header names a machine that this server is not. `--allowed-hosts` has the names "
        "that it is known by.")
PROBLEM(INVALID_FIELDS, "invalid_fields", 422,
        "Some fields or parameters are wrong. `errors` has all of them, each with a JSON Pointer.")
PROBLEM(INVALID_SAFETENSORS, "invalid_safetensors", 422,
        "The file is no model that this server can import. `errors` has all that is wrong, with "
        "JSON Pointers into the file's header.")
PROBLEM(NO_SHAPE, "no_shape", 422,
        "The data set is a mixture of Gaussians, without a curve to go to.")
PROBLEM(INVALID_DATA, "invalid_data", 422,
        "Values of the upload cannot be used. `errors` has the places of the first.")
PROBLEM(CANNOT_SAMPLE, "cannot_sample", 422, "The model cannot draw what was asked for.")
PROBLEM(NOT_FINITE, "not_finite", 422,
        "A number of the answer is not finite, or too large for 32 bits: the model's weights are "
        "wild, or its estimates go unclipped beyond all bounds. `detail` says what to change.")
PROBLEM(TOO_EXPENSIVE, "too_expensive", 422,
        "Drawing so much would cost more arithmetic than `--max-sample-cost`. `detail` says how "
        "many points would fit.")
PROBLEM(TOO_LARGE, "too_large", 422,
        "The training could take more memory than `--max-training-memory`. `detail` has both "
        "figures and says what would make it smaller.")
PROBLEM(QUEUE_FULL, "queue_full", 429,
        "So many jobs wait already. Try again after Retry-After seconds.")
PROBLEM(TOO_MANY_REQUESTS, "too_many_requests", 429,
        "This address sent more requests than `--requests-per-minute`. Try again after Retry-After "
        "seconds.")
PROBLEM(TOO_MANY_STREAMS, "too_many_streams", 503, "So many event streams are open already.")
PROBLEM(INTERNAL, "internal", 500, "A fault of the server; its log has the request id.")
PROBLEM(SPEC_UNREADABLE, "spec_unreadable", 500, "A stored job cannot be read by this version.")
PROBLEM(MODEL_UNREADABLE, "model_unreadable", 500, "A stored model cannot be read by this version.")
PROBLEM(UNKNOWN_TRANSFER_ENCODING, "unknown_transfer_encoding", 501,
        "The only transfer coding is chunked.")
PROBLEM(NO_MEMORY, "no_memory", 503, "Not enough memory at the moment.")
PROBLEM(NOT_READY, "not_ready", 503, "The server cannot do its work, for the reason in `detail`.")
PROBLEM(STOPPING, "stopping", 503, "The server is stopping.")
PROBLEM(OVERLOADED, "overloaded", 503,
        "Too much waits for a thread already. Try again after Retry-After seconds.")
PROBLEM(MODEL_MEMORY_FULL, "model_memory_full", 503,
        "The models that requests use take as much memory as `--model-cache` allows, and this one "
        "is not among them. Try again after Retry-After seconds.")
PROBLEM(ANSWER_MEMORY_FULL, "answer_memory_full", 503,
        "Answers that their clients are still reading take as much memory as `--max-answer-memory` "
        "allows. Try again after Retry-After seconds.")
PROBLEM(BODY_MEMORY_FULL, "body_memory_full", 503,
        "The bodies of requests that are on their way take as much memory as `--max-body-memory` "
        "allows. Try again after Retry-After seconds.")
PROBLEM(OUTCOME_UNKNOWN, "outcome_unknown", 503,
        "A write could not be confirmed. Look whether it took place before you repeat it; with an "
        "Idempotency-Key, just repeat it.")
PROBLEM(STORE_UNAVAILABLE, "store_unavailable", 503,
        "The database could not be used. The log of the server says why.")
PROBLEM(DISK_ERROR, "disk_error", 503,
        "The disk of the database reported an error, which the server's log names. Nothing has "
        "changed.")
PROBLEM(DATABASE_GONE, "database_gone", 503,
        "The database was moved, replaced or removed while the server ran, as its log says. "
        "Nothing is written or read any more, and the server leaves with status 70.")
PROBLEM(DISK_FULL, "disk_full", 507,
        "No space is left on the disk of the database. Nothing has changed.")
PROBLEM(DATABASE_FULL, "database_full", 507,
        "The database has reached `--max-database`. Deleting jobs, models or data sets makes room. "
        "Nothing has changed.")
