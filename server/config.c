#include "server/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/guess.h"
#include "server/base/machine.h"
#include "server/database_name.h"
#include "server/http/access.h"
#include "server/store/store.h"

struct setting {
    const char *flag; /* without dashes; the variable is DENOISED_ and the flag in upper case */
    enum {
        SETTING_TEXT,
        SETTING_CHOICE,
        SETTING_DATABASE,
        SETTING_PATH,
        SETTING_INTEGER,
        SETTING_NUMBER,
        SETTING_SWITCH
    } type;
    size_t offset;
    const char *fallback; /* "cores": the number of processors; NULL: not set */
    double min, max;
    const char *const *choices; /* its possible texts; the value is the index */
    const char *doc;
};

#define PREFIX "DENOISED_"

static const char *const sandbox_names[] = {
    [CONFIG_SANDBOX_AUTO] = "auto", [CONFIG_SANDBOX_OFF] = "off", NULL};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"host", SETTING_TEXT, AT(host), "127.0.0.1", 0, 0, NULL, "address to listen on"},
    {"port", SETTING_INTEGER, AT(port), "8080", 0, 65535, NULL,
     "port to listen on; 0 picks a free one"},
    {"base-path", SETTING_PATH, AT(base_path), NULL, 0, 0, NULL,
     "path in front of every URL, such as /denoised behind a proxy"},
    {"database", SETTING_DATABASE, AT(database), "denoised.db", 0, 0, NULL,
     "SQLite database file, created if it does not exist; or postgresql://USER@HOST/NAME, with a "
     "password only in the variable, in PGPASSWORD or in a file that PGPASSFILE names"},
    {"workers", SETTING_INTEGER, AT(workers), "cores", 1, 256, NULL,
     "number of jobs to train at the same time"},
    {"samplers", SETTING_INTEGER, AT(samplers), "cores", 1, 256, NULL,
     "number of threads that draw samples"},
    {"checkpoint-seconds", SETTING_NUMBER, AT(checkpoint_seconds), "2", 0.01, 86400, NULL,
     "seconds of training that a crash can lose; large networks may lose more, so that checkpoints "
     "take at most 2% of the time"},
    {"node-lease", SETTING_INTEGER, AT(node_lease), "15", 1, 300, NULL,
     "seconds after which the other servers on a PostgreSQL continue the jobs of one that does not "
     "answer"},
    {"database-listen", SETTING_DATABASE, AT(database_listen), NULL, 0, 0, NULL,
     "postgresql:// address of the database itself, if --database is that of a pooler in "
     "transaction "
     "mode, such as pgbouncer"},
    {"database-connections", SETTING_INTEGER, AT(database_connections), "8",
     STORE_LEAST_CONNECTIONS, 1000, NULL,
     "maximum number of connections to a PostgreSQL; requests wait for a free one"},
    {"max-database", SETTING_INTEGER, AT(max_database), "0", 0, 1 << 24, NULL,
     "maximum size of the database in MiB, at least 16; 0 means no limit; old checkpoints are "
     "deleted first, then requests that need space get a 507"},
    {"keep-events-days", SETTING_INTEGER, AT(keep_events_days), "7", 0, 36500, NULL,
     "days to keep the events of finished jobs; 0 keeps them forever"},
    {"keep-jobs-days", SETTING_INTEGER, AT(keep_jobs_days), "0", 0, 36500, NULL,
     "days to keep finished jobs and their models; 0 keeps them forever"},
    {"simd", SETTING_TEXT, AT(simd), "auto", 0, 0, NULL,
     "instruction set to compute with: avx512, avx2, baseline, neon, or auto for the best one; "
     "with "
     "auto, jobs that began with another one of this CPU continue with that"},
    {"api-keys", SETTING_TEXT, AT(api_keys), NULL, 0, 0, NULL,
     "file with the API keys to accept, made with \"denoised key\""},
    {"anonymous", SETTING_SWITCH, AT(anonymous), "false", 0, 0, NULL,
     "serve without API keys on an address other than loopback"},
    {"allowed-hosts", SETTING_TEXT, AT(allowed_hosts), NULL, 0, 0, NULL,
     "names to accept in the Host header besides this machine's addresses: a,b or * for any"},
    {"cors-origins", SETTING_TEXT, AT(cors_origins), NULL, 0, 0, NULL,
     "origins whose web pages may call the API: https://a,https://b or * for any"},
    {"trusted-proxies", SETTING_TEXT, AT(trusted_proxies), NULL, 0, 0, NULL,
     "addresses of the proxies whose X-Forwarded-For and X-Forwarded-Host headers to trust: "
     "10.0.0.1,2001:db8::1"},
    {"tls-cert", SETTING_TEXT, AT(tls_cert), NULL, 0, 0, NULL,
     "PEM file with the certificate chain; turns on HTTPS"},
    {"tls-key", SETTING_TEXT, AT(tls_key), NULL, 0, 0, NULL,
     "PEM file with the private key of the certificate"},
    {"max-queued", SETTING_INTEGER, AT(max_queued), "1000", 1, 1000000, NULL,
     "maximum number of jobs in the queue; beyond it, new jobs get a 429"},
    {"max-upload", SETTING_INTEGER, AT(max_upload), "64", 1, 1024, NULL,
     "maximum size of an uploaded file, in MiB"},
    {"max-body-memory", SETTING_INTEGER, AT(max_body_memory), "256", 1, 65536, NULL,
     "memory for all request bodies together, in MiB; beyond it, requests get a 503"},
    {"max-answer-memory", SETTING_INTEGER, AT(max_answer_memory), "512", 128, 65536, NULL,
     "memory for all responses that clients have not read yet, in MiB; beyond it, requests get a "
     "503"},
    {"max-training-memory", SETTING_INTEGER, AT(max_training_memory), "0", 0, 1 << 24, NULL,
     "memory for all running jobs together, in MiB, plus an eighth that only small jobs use; 0 "
     "means 60% of the memory of the machine or control group"},
    {"model-cache", SETTING_INTEGER, AT(model_cache), "256", 1, 65536, NULL,
     "memory for loaded models, in MiB; beyond it, requests for other models get a 503"},
    {"max-connections", SETTING_INTEGER, AT(max_connections), "1024", 4, 65536, NULL,
     "maximum number of open connections"},
    {"max-connections-per-ip", SETTING_INTEGER, AT(max_connections_per_ip), "0", 0, 65536, NULL,
     "maximum number of open connections from one address; 0 means 512, or no limit of its own "
     "with --trusted-proxies: those of a proxy are of many clients"},
    {"requests-per-minute", SETTING_INTEGER, AT(requests_per_minute), "0", 0, 1000000, NULL,
     "maximum number of requests per minute from one address; beyond it, requests get a 429; 0 "
     "means no limit"},
    {"send-timeout", SETTING_INTEGER, AT(send_timeout), "60", 1, 86400, NULL,
     "seconds a client may stop reading a response before its connection is closed"},
    {"max-sample-cost", SETTING_NUMBER, AT(max_sample_cost), "2e13", 1, 1e18, NULL,
     "maximum number of floating-point operations for one sampling request"},
    {"sandbox", SETTING_CHOICE, AT(sandbox), "auto", 0, 0, sandbox_names,
     "auto: confine the server with Landlock and seccomp; off: no sandbox"},
    {"log-level", SETTING_CHOICE, AT(log_level), "info", 0, 0, log_level_names,
     "how much to log: error, warn, info or debug"},
    {"log-format", SETTING_CHOICE, AT(log_format), "logfmt", 0, 0, log_format_names,
     "format of the log: logfmt or json"},
};
enum { SETTINGS = sizeof settings / sizeof settings[0], VARIABLE_BYTES = 64, LONGEST_PATH = 100 };

static const char *variable_of(const struct setting *setting, char out[VARIABLE_BYTES]) {
    int used = snprintf(out, VARIABLE_BYTES, PREFIX);
    for (const char *c = setting->flag; *c; c++)
        out[used++] = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    out[used] = '\0';
    return out;
}

static bool set_integer(const struct setting *setting, const char *text, int *value) {
    const long least = (long)setting->min, most = (long)setting->max;
    char *end;
    if (setting->fallback && strcmp(setting->fallback, "cores") == 0 &&
        strcmp(text, "cores") == 0) {
        const int cores = machine_cores();
        *value = cores < (int)least ? (int)least : cores > (int)most ? (int)most : cores;
        return true;
    }
    const long number = strtol(text, &end, 10);
    if (end == text || *end || number < least || number > most)
        return false;
    *value = (int)number;
    return true;
}

static bool set_number(const struct setting *setting, const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && *value >= setting->min && *value <= setting->max;
}

static bool set_switch(const char *text, bool *value) {
    *value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool set_choice(const struct setting *setting, const char *text, int *value) {
    for (*value = 0; setting->choices[*value]; ++*value)
        if (strcmp(setting->choices[*value], text) == 0)
            return true;
    return false;
}

/* Sets a path that needs no escaping in a URL, a header or JSON. "/" alone means no prefix. */
static bool set_path(const char *text, const char **value) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    size_t length = strlen(text);
    *value = length > 1 ? text : NULL;
    return text[0] == '/' && length <= LONGEST_PATH && strspn(text, plain) == length &&
           !strstr(text, "//") && !strstr(text, "/.") && (length == 1 || text[length - 1] != '/');
}

/* Writes "error, warn, info or debug". */
static void list_choices(const char *const *choices, char *out, size_t size) {
    for (size_t i = 0, used = 0; choices[i]; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 !i               ? ""
                                 : choices[i + 1] ? ", "
                                                  : " or ",
                                 choices[i]);
}

/* `source` for the message: "--port" or "DENOISED_PORT". */
static bool set(struct config *config, const struct setting *setting, const char *text,
                const char *source, char *error, size_t error_size) {
    void *at = (char *)config + setting->offset;
    char wanted[160];
    bool good = false;
    if (!text[0]) {
        snprintf(error, error_size, "%s must not be empty", source);
        return false;
    }
    if (setting->type == SETTING_DATABASE) {
        *(const char **)at = text;
        return database_name_check(text, source, error, error_size);
    }
    switch (setting->type) {
    case SETTING_INTEGER:
        good = set_integer(setting, text, at);
        snprintf(wanted, sizeof wanted, "an integer from %.0f to %.0f", setting->min, setting->max);
        break;
    case SETTING_NUMBER:
        good = set_number(setting, text, at);
        snprintf(wanted, sizeof wanted, "a number from %g to %g", setting->min, setting->max);
        break;
    case SETTING_SWITCH:
        good = set_switch(text, at);
        snprintf(wanted, sizeof wanted, "true or false");
        break;
    case SETTING_DATABASE:
    case SETTING_PATH:
        good = set_path(text, at);
        snprintf(wanted, sizeof wanted, "a plain path such as /denoised");
        break;
    case SETTING_TEXT: *(const char **)at = text; return true;
    case SETTING_CHOICE:
        good = set_choice(setting, text, at);
        list_choices(setting->choices, wanted, sizeof wanted);
        break;
    }
    if (!good)
        snprintf(error, error_size, "%s must be %s, not \"%s\"", source, wanted, text);
    return good;
}

/* Reads one flag at argv[*at], as "--flag value" or "--flag=value"; moves *at past it. */
static bool read_flag(struct config *config, int argc, char **argv, int *at, char *error,
                      size_t error_size) {
    const char *argument = argv[(*at)++], *value = strchr(argument, '=');
    const bool has_dashes = strncmp(argument, "--", 2) == 0;
    char flag[200]; /* with its dashes */
    snprintf(flag, sizeof flag, "%.*s", (int)strcspn(argument, "="), argument);
    struct guess guess = {.typed = flag + (has_dashes ? 2 : 0)};
    const struct setting *setting = NULL;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (has_dashes && strcmp(settings[i].flag, guess.typed) == 0)
            setting = &settings[i];
        guess_offer(&guess, settings[i].flag, 0);
    }
    if (!setting) {
        snprintf(error, error_size, "unknown argument \"%s\"; %s%s%s", flag,
                 guess.meant ? "did you mean --" : "see denoised serve --help",
                 guess.meant ? guess.meant : "", guess.meant ? "?" : "");
        return false;
    }
    if (value)
        value++;
    else if (setting->type == SETTING_SWITCH)
        value = "true";
    else if (*at < argc)
        value = argv[(*at)++];
    if (!value) {
        snprintf(error, error_size, "%s needs a value", flag);
        return false;
    }
    return set(config, setting, value, flag, error, error_size);
}

bool config_has_server(const struct config *config) {
    return store_names_server(config->database);
}

/* Checks what depends on several settings. */
static bool fit_together(const struct config *config, char *error, size_t error_size) {
    if (!config->tls_cert != !config->tls_key)
        snprintf(error, error_size, "--tls-cert and --tls-key are needed together");
    else if (config->database_listen &&
             (!store_names_server(config->database_listen) || !config_has_server(config)))
        snprintf(error, error_size,
                 "--database-listen and --database must both be " STORE_POSTGRESQL " addresses");
    else if (config->max_body_memory < config->max_upload)
        snprintf(error, error_size, "--max-body-memory must be at least --max-upload, %d",
                 config->max_upload);
    else if (config->trusted_proxies && !access_is_address_list(config->trusted_proxies))
        snprintf(error, error_size, "--trusted-proxies must be IP addresses, a,b, not \"%s\"",
                 config->trusted_proxies);
    else
        return true;
    return false;
}

/* Kubernetes (for a Service called "denoised") and Docker's links put tcp://10.0.0.1:80 into
 * DENOISED_PORT. */
static bool is_link(const char *value) {
    return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;
}

/* The value in the environment; NULL: none. An empty variable counts as none. */
static const char *value_around(const struct setting *setting, char variable[VARIABLE_BYTES]) {
    const char *value = getenv(variable_of(setting, variable));
    return value && value[0] && !is_link(value) ? value : NULL;
}

bool config_read(struct config *config, int argc, char **argv, char *error, size_t error_size) {
    *config = (struct config){0};
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        char variable[VARIABLE_BYTES];
        const char *value = value_around(setting, variable);
        if ((setting->fallback &&
             !set(config, setting, setting->fallback, setting->flag, error, error_size)) ||
            (value && !set(config, setting, value, variable, error, error_size)))
            return false;
    }
    for (int at = 0; at < argc;)
        if (!read_flag(config, argc, argv, &at, error, error_size))
            return false;
    return fit_together(config, error, error_size);
}

/* Is this one of the many other variables that come with such a DENOISED_PORT? */
static bool is_of_link(const char *name) {
    return strncmp(name, "SERVICE_", 8) == 0 || strstr(name, "_SERVICE_HOST") ||
           strstr(name, "_SERVICE_PORT") || strstr(name, "_TCP") || strstr(name, "_UDP") ||
           strcmp(name, "NAME") == 0;
}

static void look_at(const char *name, const char *value) {
    char variable[VARIABLE_BYTES], text[300];
    struct guess guess = {.typed = name};
    bool is_ignored = !is_of_link(name) && !is_link(value);
    snprintf(text, sizeof text, "there is no " PREFIX "%.100s", name);
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *known = variable_of(&settings[i], variable) + sizeof PREFIX - 1;
        if (guess_offer(&guess, known, 0))
            snprintf(text, sizeof text, "there is no " PREFIX "%.100s; did you mean %s?", name,
                     variable);
        if (strcmp(known, name) != 0)
            continue;
        snprintf(text, sizeof text, PREFIX "%s=%.100s belongs to a Kubernetes service of this name",
                 name, value);
        is_ignored = is_link(value);
        break;
    }
    if (is_ignored)
        log_line(LOG_WARN, "an environment variable is ignored", "detail=%s", text);
}

void config_look_around(void) {
    for (char **each = environ; *each; each++) {
        const char *equals = strchr(*each, '=');
        char name[VARIABLE_BYTES];
        if (!equals || strncmp(*each, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - *each - (int)sizeof PREFIX + 1),
                 *each + sizeof PREFIX - 1);
        look_at(name, equals + 1);
    }
}

/* Prints the text beside the flag, in lines of at most 80 columns. */
static void print_beside(const char *flag, const char *text) {
    enum { LEFT = 27, WIDTH = 80 - LEFT };
    printf("  --%-22s ", flag);
    while (strlen(text) > WIDTH) {
        int cut = WIDTH;
        while (cut > 1 && text[cut] != ' ')
            cut--;
        printf("%.*s\n%*s", cut, text, LEFT, "");
        text += text[cut] == ' ' ? cut + 1 : cut;
    }
    printf("%s\n", text);
}

void config_help(void) {
    char text[300];
    for (const struct setting *setting = settings; setting < settings + SETTINGS; setting++) {
        const char *fallback = setting->fallback;
        snprintf(text, sizeof text, "%s%s%s%s", setting->doc, fallback ? " (default " : "",
                 fallback ? fallback : "", fallback ? ")" : "");
        print_beside(setting->flag, text);
    }
}

void config_markdown(void) {
    printf("| flag | variable | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        char variable[VARIABLE_BYTES];
        printf("| `--%s` | `%s` | %s%s%s | %s |\n", setting->flag, variable_of(setting, variable),
               setting->fallback ? "`" : "", setting->fallback ? setting->fallback : "",
               setting->fallback ? "`" : "", setting->doc);
    }
}

void config_mdoc(void) {
    static const char *const values[] = {[SETTING_TEXT] = " Ar text",
                                         [SETTING_CHOICE] = " Ar text",
                                         [SETTING_DATABASE] = " Ar database",
                                         [SETTING_PATH] = " Ar path",
                                         [SETTING_INTEGER] = " Ar integer",
                                         [SETTING_NUMBER] = " Ar number",
                                         [SETTING_SWITCH] = ""};
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        char variable[VARIABLE_BYTES];
        printf(".It Fl -%s%s\n%s\n.Pq Ev %s", setting->flag, values[setting->type], setting->doc,
               variable_of(setting, variable));
        if (setting->fallback)
            printf(" , default %s", setting->fallback);
        printf("\n");
    }
}
