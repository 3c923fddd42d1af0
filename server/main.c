/* The commands of the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/demo.h"
#include "server/arguments.h"
#include "server/base/guess.h"
#include "server/base/log.h"
#include "server/client.h"
#include "server/database_name.h"
#include "server/http/auth.h"
#include "server/limits.h"
#include "server/serve.h"
#include "server/store/copy.h"
#include "server/store/migrations.h"
#include "server/version.h"

static int usage_error(const char *message) {
    fprintf(stderr, "denoised: %s\n", message);
    return 2;
}

static int command_serve(int argc, char **argv) {
    const struct contract contract = {.routes = api_routes,
                                      .route_count = api_route_count,
                                      .problem = problem,
                                      .load = api_load_training,
                                      .conclude = api_conclude,
                                      .event_data = api_event_data};
    struct config config;
    char error[256];
    if (!config_read(&config, argc, argv, error, sizeof error))
        return usage_error(error);
    const int status = serve(&config, &contract);
    log_flush();
    return status;
}

/* For container health checks: is the server with these settings ready? */
static int command_healthcheck(int argc, char **argv) {
    struct config config;
    char error[256], path[300];
    if (!config_read(&config, argc, argv, error, sizeof error))
        return usage_error(error);
    const char *host = config.host;
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    snprintf(path, sizeof path, "%s/readyz", config.base_path ? config.base_path : "");
    struct buffer body = {0};
    const struct client_server server = {host, config.port, config.tls_cert != NULL};
    int status = client_request(&server, "GET", path, NULL, 3, &body);
    printf("%s\n", status == 200 ? "ready" : status < 0 ? "no response" : "not ready");
    buffer_clear(&body);
    return status == 200 ? 0 : 1;
}

/* denoised key NAME >> FILE: the key goes to the terminal, and only its digest into the file. */
static int command_key(int argc, char **argv) {
    const char *name = NULL, *scope = "write", *value;
    for (int i = 0; i < argc; i++)
        if ((value = argument_value(argc, argv, &i, "--scope")))
            scope = value;
        else if (argv[i][0] == '-')
            return argument_unknown(argv[i], "--scope");
        else if (name)
            return usage_error("one name at a time: denoised key NAME [--scope read|write]");
        else
            name = argv[i];
    const bool may_write = strcmp(scope, "write") == 0;
    if (!name)
        return usage_error("usage: denoised key NAME [--scope read|write]");
    if (!may_write && strcmp(scope, "read") != 0)
        return usage_error("--scope must be read or write");
    char key[AUTH_KEY], line[AUTH_LINE];
    if (!auth_new_key(name, may_write ? AUTH_WRITE : AUTH_READ, key, line))
        return usage_error("a name must be 1 to 32 letters, digits and dashes");
    fprintf(stderr, "the key (it is shown only once): %s\n", key);
    printf("%s\n", line);
    return 0;
}

/* denoised backup FILE [setting ...]: copies the database that these settings name. */
static int command_backup(int argc, char **argv) {
    struct config config;
    char error[512];
    if (argc < 1 || argv[0][0] == '-')
        return usage_error("usage: denoised backup FILE [--database FILE]");
    if (!config_read(&config, argc - 1, argv + 1, error, sizeof error))
        return usage_error(error);
    if (!store_backup(config.database, argv[0], error, sizeof error)) {
        usage_error(error);
        return 1;
    }
    return 0;
}

/* denoised migrate [setting ...]: for PostgreSQL, before the servers of a new version start. */
static int command_migrate(int argc, char **argv) {
    struct config config;
    char error[512];
    if (!config_read(&config, argc, argv, error, sizeof error))
        return usage_error(error);
    log_set_level(config.log_level);
    log_set_format(config.log_format);
    umask(077);
    /* Past a pooler: what this sets for its session, other clients of the pooler would find set. */
    struct store *store = store_open(
        config.database_listen ? config.database_listen : config.database, error, sizeof error);
    const bool is_done = store && store_migrate(store, error, sizeof error) &&
                         store_schema_fits(store, error, sizeof error);
    if (is_done)
        printf("the schema of %s is up to date\n", store_path(store));
    else
        usage_error(error);
    if (store)
        store_close(store);
    return is_done ? 0 : 1;
}

/* Opens a database whose schema fits; NULL and a message on failure. */
static struct store *open_fit(const char *name, char *error, size_t error_size) {
    struct store *store = store_open(name, error, error_size);
    if (!store || store_schema_fits(store, error, error_size))
        return store;
    store_close(store);
    return NULL;
}

static bool copy(const char *from, const char *to, char *error, size_t error_size) {
    struct store *source = NULL, *target = NULL;
    if (access(from, F_OK) != 0 && !strstr(from, "://")) /* opening would create it */
        snprintf(error, error_size, "%s does not exist", from);
    else
        source = open_fit(from, error, error_size);
    if (source)
        target = open_fit(to, error, error_size);
    const bool is_done = target && store_copy(source, target, error, error_size);
    if (is_done)
        printf("copied %s to %s\n", store_path(source), store_path(target));
    if (target)
        store_close(target);
    if (source)
        store_close(source);
    return is_done;
}

/* denoised copy --from A --to B: moves a database to another kind, or to another place. */
static int command_copy(int argc, char **argv) {
    const char *from = NULL, *to = NULL, *value;
    char error[512];
    for (int i = 0; i < argc; i++)
        if ((value = argument_value(argc, argv, &i, "--from")))
            from = value;
        else if ((value = argument_value(argc, argv, &i, "--to")))
            to = value;
        else
            return argument_unknown(argv[i], "--from");
    if ((from && !database_name_check(from, "--from", error, sizeof error)) ||
        (to && !database_name_check(to, "--to", error, sizeof error)))
        return usage_error(error);
    value = getenv("DENOISED_DATABASE");
    if (value && !database_name_check(value, "DENOISED_DATABASE", error, sizeof error))
        return usage_error(error);
    from = from || !to ? from : value;
    to = to || !from ? to : value;
    if (!from || !to || !from[0] || !to[0])
        return usage_error("usage: denoised copy --from DATABASE --to DATABASE; one of them may be "
                           "in the variable DENOISED_DATABASE instead");
    umask(077);
    if (copy(from, to, error, sizeof error))
        return 0;
    usage_error(error);
    return 1;
}

static int command_settings(int argc, char **argv) {
    if (argc == 1 && strcmp(argv[0], "--markdown") == 0)
        config_markdown();
    else if (argc == 1 && strcmp(argv[0], "--mdoc") == 0)
        config_mdoc();
    else
        return usage_error("usage: denoised settings --markdown|--mdoc");
    return 0;
}

static int command_version(int argc, char **argv) {
    if (argc > 0)
        return argument_unknown(argv[0], NULL);
    printf("denoised %s (%s), kernels %s\n", denoised_version, denoised_commit, dn_kernels_name());
    return 0;
}

static int command_help(int argc, char **argv);

static const struct command {
    const char *names[4];              /* the first one is shown; the others are aliases */
    int (*run)(int argc, char **argv); /* the arguments after the name */
    const char *arguments;
    const char *doc;
} commands[] = {
    {{"serve"}, command_serve, "[SETTING ...]", "run the server until SIGTERM or Ctrl-C"},
    {{"demo"},
     demo_run,
     "[--preset NAME]",
     "train a spiral, draw it here, and write samples.svg and loss.svg"},
    {{"key"},
     command_key,
     "NAME [--scope read|write] >> FILE",
     "create an API key and print its line for the --api-keys file"},
    {{"backup"},
     command_backup,
     "FILE [--database FILE]",
     "copy the database to a new FILE, even while a server uses it"},
    {{"copy"},
     command_copy,
     "--from DATABASE --to DATABASE",
     "copy everything into an empty database, on SQLite or PostgreSQL"},
    {{"migrate"},
     command_migrate,
     "[--database URI]",
     "create or update the tables of a database on PostgreSQL"},
    {{"healthcheck"},
     command_healthcheck,
     "[SETTING ...]",
     "exit with status 0 if the server is ready, else with 1"},
    {{"settings"},
     command_settings,
     "--markdown|--mdoc",
     "print all settings as a Markdown table or as part of the man page"},
    {{"version", "--version", "-V"},
     command_version,
     "",
     "print the version, the commit and the instruction set in use"},
    {{"help", "--help", "-h"},
     command_help,
     "[COMMAND]",
     "print this help, or the help for one command"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* NULL, and a message on standard error: there is none of this name. */
static const struct command *find_command(const char *name) {
    struct guess guess = {.typed = name};
    for (size_t i = 0; i < COMMANDS; i++)
        for (int j = 0; j < 4 && commands[i].names[j]; j++) {
            if (strcmp(commands[i].names[j], name) == 0)
                return &commands[i];
            guess_offer(&guess, commands[i].names[j], 0);
        }
    fprintf(stderr, "denoised: there is no command \"%s\"; ", name);
    if (guess.meant)
        fprintf(stderr, "did you mean denoised %s?\n", guess.meant);
    else if (name[0] == '-' && name[1] == '-')
        fprintf(stderr, "the settings come after a command: denoised serve %s\n", name);
    else
        fprintf(stderr, "see denoised --help\n");
    return NULL;
}

static int help_of(const struct command *command) {
    printf("usage: denoised %s %s\n\n%s\n", command->names[0], command->arguments, command->doc);
    if (command->run == command_serve || command->run == command_healthcheck ||
        command->run == command_backup || command->run == command_migrate) {
        printf("\nEach setting is a flag or an environment variable: --max-upload is also\n"
               "DENOISED_MAX_UPLOAD. A flag overrides its variable. \"cores\" is the number of\n"
               "processors that the program may use.\n\n");
        config_help();
    }
    return 0;
}

static int command_help(int argc, char **argv) {
    if (argc > 0) {
        const struct command *command = find_command(argv[0]);
        return command ? help_of(command) : 2;
    }
    printf("denoised %s: train and serve denoising diffusion models over HTTP\n\n",
           denoised_version);
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  denoised %-12s %s\n", commands[i].names[0], commands[i].doc);
    printf("\n\"denoised COMMAND --help\" explains a command.\n"
           "\"denoised serve --help\" lists all settings.\n");
    return 0;
}

int main(int argc, char **argv) {
    limits_open_standard();
    if (!database_name_hide())
        return usage_error("out of memory");
    if (argc < 2) {
        command_help(0, NULL);
        return 2;
    }
    const struct command *command = find_command(argv[1]);
    if (!command)
        return 2;
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help_of(command);
    return command->run(argc - 2, argv + 2);
}
