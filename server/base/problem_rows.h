/* One row per problem code: its enumerator without PROBLEM_, its text, its status, and what it
 * means and how to fix it, for /docs and for responses without a more specific detail. */
PROBLEM(BAD_TARGET, "bad_target", 400,
        "The path or the query cannot be read: percent-encoding, UTF-8, a slash encoded in the "
        "path, or more than 64 parameters.")
PROBLEM(BAD_HEADER, "bad_header", 400,
        "A header contains a character that is not allowed, is folded over several lines, or is "
        "repeated although it takes one value. `detail` says which.")
PROBLEM(BAD_HOST, "bad_host", 400, "Exactly one Host header is needed.")
PROBLEM(BAD_FRAMING, "bad_framing", 400,
        "The length of this request is ambiguous: two programs could read it differently.")
PROBLEM(BAD_IDEMPOTENCY_KEY, "bad_idempotency_key", 400,
        "An Idempotency-Key must be 1 to 255 bytes of text.")
PROBLEM(BAD_LAST_EVENT_ID, "bad_last_event_id", 400, "Last-Event-ID is not the id of an event.")
PROBLEM(INVALID_JSON, "invalid_json", 400,
        "The body is not JSON. `detail` says where, by line and column.")
PROBLEM(INVALID_CSV, "invalid_csv", 400, "The body is not CSV. `detail` says where, by line.")
PROBLEM(INVALID_NPY, "invalid_npy", 400, "The body is not a NumPy array that this server can read.")
PROBLEM(INVALID_UPLOAD, "invalid_upload", 400,
        "The form, or the gzip, zip or IDX file in the body cannot be read. `detail` says why.")
PROBLEM(UNEXPECTED_BODY, "unexpected_body", 400, "This request takes no body.")
PROBLEM(KEY_NEEDED, "key_needed", 401,
        "The server requires an API key: `Authorization: Bearer dn_...`.")
PROBLEM(INVALID_KEY, "invalid_key", 401, "The API key is unknown, or has been removed.")
PROBLEM(SCOPE_TOO_SMALL, "scope_too_small", 403, "The API key may only read.")
PROBLEM(FOREIGN_ORIGIN, "foreign_origin", 403,
        "A web page of another site may not change anything on this server, unless "
        "`--cors-origins` names its origin.")
PROBLEM(NO_SUCH_PATH, "no_such_path", 404, "No operation has this path.")
PROBLEM(NO_SUCH_JOB, "no_such_job", 404,
        "No job has this id, or `latest` was requested and there is no job yet.")
PROBLEM(NO_SUCH_MODEL, "no_such_model", 404, "No model has this id.")
PROBLEM(NO_SUCH_DATASET, "no_such_dataset", 404, "No data set has this name or id.")
PROBLEM(NO_MODEL_YET, "no_model_yet", 404, "The job has not saved its first checkpoint yet.")
PROBLEM(MODEL_DELETED, "model_deleted", 404, "The model of this job has been deleted.")
PROBLEM(NOT_FOUND, "not_found", 404, "Nothing has this id.")
PROBLEM(METHOD_NOT_ALLOWED, "method_not_allowed", 405,
        "The path does not support this method: see the Allow header.")
PROBLEM(NOT_ACCEPTABLE, "not_acceptable", 406,
        "This operation offers no format that the Accept header allows.")
PROBLEM(JOB_ACTIVE, "job_active", 409,
        "The request is not possible while the job is queued or running.")
PROBLEM(JOB_RUNNING, "job_running", 409,
        "The job is running. Cancel it first, or delete it with `force=true`.")
PROBLEM(MODEL_IN_TRAINING, "model_in_training", 409,
        "The model's job is queued or running. Cancel or delete the job first.")
PROBLEM(IDEMPOTENCY_KEY_REUSED, "idempotency_key_reused", 422,
        "This Idempotency-Key was already used with a different request.")
PROBLEM(DATASET_BUILT_IN, "dataset_built_in", 409, "A built-in data set cannot be deleted.")
PROBLEM(DATASET_IN_USE, "dataset_in_use", 409,
        "A queued or running job trains on this data set: wait for it, or cancel it.")
PROBLEM(DATASET_MISSING, "dataset_missing", 409, "A data set that the job needs has been deleted.")
PROBLEM(DATASET_DIFFERS, "dataset_differs", 409,
        "The uploaded data set is not the one that the model's file describes: its points, columns "
        "or classes differ.")
PROBLEM(BODY_TOO_LARGE, "body_too_large", 413, "The body is larger than this operation accepts.")
PROBLEM(
    UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415,
    "This operation does not accept the Content-Type, the Content-Encoding or the character set.")
PROBLEM(RANGE_NOT_SATISFIABLE, "range_not_satisfiable", 416,
        "The Range begins after the end of the response.")
PROBLEM(EXPECTATION_FAILED, "expectation_failed", 417,
        "The only supported expectation is `Expect: 100-continue`.")
PROBLEM(MISDIRECTED_REQUEST, "misdirected_request", 421,
        "The server does not accept this host name. Allow names with `--allowed-hosts`.")
PROBLEM(INVALID_FIELDS, "invalid_fields", 422,
        "Some fields or parameters are invalid. `errors` lists all of them, with JSON Pointers.")
PROBLEM(INVALID_SAFETENSORS, "invalid_safetensors", 422,
        "The file is not a model that this server can import. `errors` lists everything wrong with "
        "it, with JSON Pointers into the file's header.")
PROBLEM(NO_SHAPE, "no_shape", 422,
        "The data set is a mixture of Gaussians, which has no exact shape and no nearest point.")
PROBLEM(NO_IMAGES, "no_images", 422, "The data set has points, not images.")
PROBLEM(INVALID_DATA, "invalid_data", 422,
        "Some values of the upload cannot be used. `errors` lists the first of them with their "
        "positions.")
PROBLEM(CANNOT_SAMPLE, "cannot_sample", 422, "The model cannot draw the requested samples.")
PROBLEM(NOT_FINITE, "not_finite", 422,
        "A number in the response is not finite, or too large for 32 bits: the model has diverged, "
        "or its unclipped estimates grow without bound. `detail` says what to change.")
PROBLEM(TOO_EXPENSIVE, "too_expensive", 422,
        "The request would need more computation than `--max-sample-cost` allows. `detail` says "
        "how many points are allowed.")
PROBLEM(TOO_LARGE, "too_large", 422,
        "The training may need more memory than `--max-training-memory` allows. `detail` has both "
        "sizes and says how to reduce it.")
PROBLEM(QUEUE_FULL, "queue_full", 429, "The queue is full. Try again after Retry-After seconds.")
PROBLEM(TOO_MANY_REQUESTS, "too_many_requests", 429,
        "This address sent more requests than `--requests-per-minute`. Try again after Retry-After "
        "seconds.")
PROBLEM(TOO_MANY_STREAMS, "too_many_streams", 503, "Too many event streams are open.")
PROBLEM(INTERNAL, "internal", 500,
        "An error in the server; its log has details under the request id.")
PROBLEM(SPEC_UNREADABLE, "spec_unreadable", 500, "This version cannot read a stored job.")
PROBLEM(MODEL_UNREADABLE, "model_unreadable", 500, "This version cannot read a stored model.")
PROBLEM(UNKNOWN_TRANSFER_ENCODING, "unknown_transfer_encoding", 501,
        "The only supported transfer coding is chunked.")
PROBLEM(NO_MEMORY, "no_memory", 503, "There is not enough memory at the moment.")
PROBLEM(NOT_READY, "not_ready", 503, "The server is not ready, for the reason in `detail`.")
PROBLEM(STOPPING, "stopping", 503, "The server is stopping.")
PROBLEM(OVERLOADED, "overloaded", 503,
        "Too many requests are already waiting. Try again after Retry-After seconds.")
PROBLEM(MODEL_MEMORY_FULL, "model_memory_full", 503,
        "The models in use fill the memory that `--model-cache` allows, and this model is not one "
        "of them. Try again after Retry-After seconds.")
PROBLEM(ANSWER_MEMORY_FULL, "answer_memory_full", 503,
        "Responses that clients are still reading fill the memory that `--max-answer-memory` "
        "allows. Try again after Retry-After seconds.")
PROBLEM(BODY_MEMORY_FULL, "body_memory_full", 503,
        "Request bodies that are being received fill the memory that `--max-body-memory` allows. "
        "Try again after Retry-After seconds.")
PROBLEM(OUTCOME_UNKNOWN, "outcome_unknown", 503,
        "A write could not be confirmed. Check whether it happened before you repeat it; with an "
        "Idempotency-Key, simply repeat it.")
PROBLEM(STORE_UNAVAILABLE, "store_unavailable", 503,
        "The database could not be used. See the server's log for the reason.")
PROBLEM(DATABASE_UNAVAILABLE, "database_unavailable", 503,
        "The database cannot be reached at the moment, or all connections to it are in use. "
        "Nothing has changed: try again after Retry-After seconds. The server goes on by itself "
        "when the database is back.")
PROBLEM(DISK_ERROR, "disk_error", 503,
        "The database's disk reported an error; see the server's log. Nothing has changed.")
PROBLEM(DATABASE_GONE, "database_gone", 503,
        "The database was moved, replaced or removed while the server was running; see its log. "
        "Nothing more is read or written, and the server exits with status 70.")
PROBLEM(DISK_FULL, "disk_full", 507,
        "There is no space left on the database's disk. Nothing has changed.")
PROBLEM(DATABASE_FULL, "database_full", 507,
        "The database has reached `--max-database`. Delete jobs, models or data sets to make room. "
        "Nothing has changed.")
