#include "server/answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/store.h"

enum { SLOTS = 64, MOST_BYTES = 8 << 10 };

struct slot {
    char id[ID_LENGTH + 1]; /* "": empty */
    uint64_t version;
    struct buffer body;
};

struct answers {
    pthread_mutex_t mutex;
    struct slot slots[SLOTS];
};

struct answers *answers_new(void) {
    struct answers *answers = calloc(1, sizeof *answers);
    if (answers)
        pthread_mutex_init(&answers->mutex, NULL);
    return answers;
}

void answers_free(struct answers *answers) {
    if (!answers)
        return;
    for (int i = 0; i < SLOTS; i++)
        buffer_clear(&answers->slots[i].body);
    pthread_mutex_destroy(&answers->mutex);
    free(answers);
}

static struct slot *slot_of(struct answers *answers, const char *id) {
    uint32_t hash = 2166136261; /* FNV-1a */
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619;
    return &answers->slots[(hash ^ hash >> 16) % SLOTS];
}

bool answers_find(struct answers *answers, const char *id, uint64_t version, struct buffer *out) {
    struct slot *slot = slot_of(answers, id);
    pthread_mutex_lock(&answers->mutex);
    const bool found = slot->version == version && strcmp(slot->id, id) == 0;
    if (found)
        buffer_append(out, slot->body.data, slot->body.length);
    pthread_mutex_unlock(&answers->mutex);
    return found;
}

void answers_keep(struct answers *answers, const char *id, uint64_t version,
                  const struct buffer *body) {
    struct slot *slot = slot_of(answers, id);
    if (version == STORE_VERSION_UNKNOWN || body->failed || body->length > MOST_BYTES ||
        strlen(id) >= sizeof slot->id)
        return;
    pthread_mutex_lock(&answers->mutex);
    slot->body.length = 0;
    buffer_append(&slot->body, body->data, body->length);
    slot->version = version;
    strcpy(slot->id, slot->body.failed ? "" : id);
    if (slot->body.failed)
        buffer_clear(&slot->body);
    pthread_mutex_unlock(&answers->mutex);
}
