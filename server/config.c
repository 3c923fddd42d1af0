#include "server/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"

struct setting {
    const char *flag; /* without dashes; DENOISED_ and the upper-case form is the variable */
    enum { SETTING_TEXT, SETTING_INTEGER, SETTING_SWITCH, SETTING_LEVEL } type;
    size_t offset;
    const char *fallback; /* "cores": the number of processors */
    int min, max;
    const char *doc;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"host", SETTING_TEXT, AT(host), "127.0.0.1", 0, 0, "address to listen on"},
    {"port", SETTING_INTEGER, AT(port), "8080", 0, 65535, "port to listen on; 0 picks a free one"},
    {"database", SETTING_TEXT, AT(database), "denoised.db", 0, 0, "the SQLite file"},
    {"workers", SETTING_INTEGER, AT(workers), "cores", 1, 256, "jobs trained at the same time"},
    {"samplers", SETTING_INTEGER, AT(samplers), "cores", 1, 256, "threads that draw samples"},
    {"max-queued", SETTING_INTEGER, AT(max_queued), "1000", 1, 1000000,
     "jobs that may wait; more are answered 429"},
    {"simd", SETTING_TEXT, AT(simd), "auto", 0, 0,
     "kernels to use: auto, avx512, avx2, baseline, neon"},
    {"log-level", SETTING_LEVEL, AT(log_level), "info", 0, 0, "error, warn, info or debug"},
    {"anonymous", SETTING_SWITCH, AT(anonymous), "false", 0, 0,
     "serve everybody on an address that is not loopback"},
};
enum { SETTINGS = sizeof settings / sizeof settings[0], VARIABLE_BYTES = 64 };

static const char *variable_of(const struct setting *setting, char out[VARIABLE_BYTES]) {
    int used = snprintf(out, VARIABLE_BYTES, "DENOISED_");
    for (const char *c = setting->flag; *c; c++)
        out[used++] = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    out[used] = '\0';
    return out;
}

static bool set_integer(const struct setting *setting, const char *text, int *value) {
    char *end;
    long number = strcmp(text, "cores") == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : 0;
    if (number == 0) {
        number = strtol(text, &end, 10);
        if (end == text || *end || number < setting->min || number > setting->max)
            return false;
    }
    *value = (int)(number > setting->max ? setting->max : number);
    return true;
}

/* `source` for the message: "--port" or "DENOISED_PORT". */
static bool set(struct config *config, const struct setting *setting, const char *text,
                const char *source, char *error, size_t error_size) {
    void *at = (char *)config + setting->offset;
    switch (setting->type) {
    case SETTING_INTEGER:
        if (set_integer(setting, text, at))
            return true;
        snprintf(error, error_size, "%s must be an integer from %d to %d, not \"%s\"", source,
                 setting->min, setting->max, text);
        return false;
    case SETTING_SWITCH:
        *(bool *)at = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
        if (*(bool *)at || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
            return true;
        snprintf(error, error_size, "%s must be true or false, not \"%s\"", source, text);
        return false;
    case SETTING_LEVEL:
        for (int i = 0; log_level_names[i]; i++)
            if (strcmp(log_level_names[i], text) == 0) {
                *(const char **)at = text;
                return true;
            }
        snprintf(error, error_size, "%s must be error, warn, info or debug, not \"%s\"", source,
                 text);
        return false;
    case SETTING_TEXT: break;
    }
    *(const char **)at = text;
    if (text[0])
        return true;
    snprintf(error, error_size, "%s must not be empty", source);
    return false;
}

static const struct setting *find(const char *flag, size_t length) {
    for (size_t i = 0; i < SETTINGS; i++)
        if (strlen(settings[i].flag) == length && strncmp(settings[i].flag, flag, length) == 0)
            return &settings[i];
    return NULL;
}

/* One flag at argv[*at], as "--flag value" or "--flag=value"; moves *at past it. */
static bool read_flag(struct config *config, int argc, char **argv, int *at, char *error,
                      size_t error_size) {
    char *argument = argv[(*at)++];
    size_t length = strcspn(argument, "=");
    const struct setting *setting =
        strncmp(argument, "--", 2) == 0 ? find(argument + 2, length - 2) : NULL;
    if (!setting) {
        snprintf(error, error_size, "unknown argument \"%s\"; see denoised --help", argument);
        return false;
    }
    const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
    if (!value && setting->type == SETTING_SWITCH)
        value = "true";
    else if (!value && *at < argc)
        value = argv[(*at)++];
    if (!value) {
        snprintf(error, error_size, "%s needs a value", argument);
        return false;
    }
    char source[VARIABLE_BYTES];
    snprintf(source, sizeof source, "--%s", setting->flag);
    return set(config, setting, value, source, error, error_size);
}

bool config_read(struct config *config, int argc, char **argv, char *error, size_t error_size) {
    *config = (struct config){0};
    for (size_t i = 0; i < SETTINGS; i++) {
        char variable[VARIABLE_BYTES];
        const char *value = getenv(variable_of(&settings[i], variable));
        if (!set(config, &settings[i], settings[i].fallback, settings[i].flag, error, error_size) ||
            (value && !set(config, &settings[i], value, variable, error, error_size)))
            return false;
    }
    for (int at = 0; at < argc;)
        if (!read_flag(config, argc, argv, &at, error, error_size))
            return false;
    return true;
}

void config_help(void) {
    for (size_t i = 0; i < SETTINGS; i++) {
        char variable[VARIABLE_BYTES];
        printf("  --%-11s %-20s %s (default: %s)\n", settings[i].flag,
               variable_of(&settings[i], variable), settings[i].doc, settings[i].fallback);
    }
}
