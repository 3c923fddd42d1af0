/* A job from its bytes to a checked spec. What is accepted and written must be read as the same. */
#include <string.h>

#include "api/spec/spec.h"
#include "tests/fuzz/fuzz.h"

static void write_job(const struct job_request *job, struct buffer *out) {
    spec_write(job, &(struct json_writer){.out = out});
    buffer_append(out, "", 1);
    fuzz_check(!out->failed);
}

static void read_again(const struct job_request *job, struct arena *arena) {
    struct job_request same;
    struct buffer text = {0}, again = {0};
    struct dn_error error;
    write_job(job, &text);
    fuzz_check(spec_read_stored(text.data, &same, arena, &error));
    write_job(&same, &again);
    fuzz_check(strcmp(text.data, again.data) == 0);
    spec_dataset_name(job, &text);
    spec_write_classes(job, &(struct json_writer){.out = &again});
    buffer_clear(&text);
    buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char error[200] = "";
    char *text = fuzz_text(bytes, size);
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    static struct job_request job;
    cJSON *json = json_read(text, size, JSON_MAX_VALUES, &arena, error, sizeof error);
    fuzz_check(json || error[0]);
    if (json) {
        spec_read(json, &job, NULL, NULL, &wrong);
        if (wrong.count == 0) {
            fuzz_check(dn_spec_check(&job.spec, NULL) == DN_OK);
            fuzz_check(dn_spec_parameters(&job.spec) > 0);
            fuzz_check(dn_spec_steps_per_epoch(&job.spec) > 0);
            read_again(&job, &arena);
        }
    }
    cJSON_Delete(json);
    arena_clear(&arena);
    free(text);
    return 0;
}
