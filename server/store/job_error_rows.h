/* One row per reason for which a job fails: its enumerator without JOB_ERROR_, its text, and what
 * it means and what to do about it. */
JOB_ERROR(DIVERGED, "diverged",
          "The loss grew beyond bounds, or the model can no longer draw finite points. "
          "Try a smaller `learning_rate` or a `gradient_clip`.")
JOB_ERROR(NO_MEMORY, "no_memory", "There was not enough memory to train this network.")
JOB_ERROR(TRAINING_ERROR, "training_error", "Training stopped because of an internal error.")
JOB_ERROR(DATASET_MISSING, "dataset_missing",
          "An uploaded data set that the job trains on has been deleted.")
JOB_ERROR(DATASET_DIFFERS, "dataset_differs",
          "An uploaded data set is not the one that the spec describes.")
JOB_ERROR(SPEC_UNREADABLE, "spec_unreadable", "This version cannot read or train the stored spec.")
JOB_ERROR(CRASH_LOOP, "crash_loop",
          "The server died three times while it trained this job, with no checkpoint in between. "
          "The job can be resumed.")
JOB_ERROR(TOO_LARGE, "too_large",
          "The server was started with less memory than the training may take.")
JOB_ERROR(DATABASE_FULL, "database_full",
          "The training results do not fit into --max-database. Make room, and resume the job.")
