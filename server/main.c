/* denoised: the commands. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/demo.h"
#include "server/auth.h"
#include "server/client.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/serve.h"
#include "server/store.h"
#include "server/version.h"

static int complain(const char *message) {
    fprintf(stderr, "denoised: %s\n", message);
    return 2;
}

static int command_serve(int argc, char **argv) {
    const struct contract contract = {.routes = api_routes,
                                      .route_count = api_route_count,
                                      .problem = api_problem,
                                      .load = api_load_training,
                                      .memory = api_training_memory,
                                      .conclude = api_conclude,
                                      .event_data = api_event_data};
    struct config config;
    char error[256];
    if (!config_read(&config, argc, argv, error, sizeof error))
        return complain(error);
    const int status = serve(&config, &contract);
    log_flush();
    return status;
}

/* For container health checks: is the server that these settings describe ready? */
static int command_healthcheck(int argc, char **argv) {
    struct config config;
    char error[256], path[300];
    if (!config_read(&config, argc, argv, error, sizeof error))
        return complain(error);
    const char *host = config.host;
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    snprintf(path, sizeof path, "%s/readyz", config.base_path ? config.base_path : "");
    struct buffer body = {0};
    const struct client_server server = {host, config.port, config.tls_cert != NULL};
    int status = client_request(&server, "GET", path, NULL, 3, &body);
    printf("%s\n", status == 200 ? "ready" : status < 0 ? "no answer" : "not ready");
    buffer_clear(&body);
    return status == 200 ? 0 : 1;
}

/* denoised key NAME >> FILE: the key itself is for whoever sits there, not for the file. */
static int command_key(int argc, char **argv) {
    const char *name = NULL, *scope = "write";
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--scope") == 0 && i + 1 < argc)
            scope = argv[++i];
        else if (!name && argv[i][0] != '-')
            name = argv[i];
        else
            name = "";
    const bool may_write = strcmp(scope, "write") == 0;
    if (!name || !name[0] || (!may_write && strcmp(scope, "read") != 0))
        return complain("usage: denoised key NAME [--scope read|write]");
    char key[AUTH_KEY], line[AUTH_LINE];
    if (!auth_new_key(name, may_write ? AUTH_WRITE : AUTH_READ, key, line))
        return complain("a name is 1 to 32 letters, digits and dashes");
    fprintf(stderr, "the key, shown only now: %s\n", key);
    printf("%s\n", line);
    return 0;
}

/* denoised backup FILE [setting ...]: of the database that these settings name. */
static int command_backup(int argc, char **argv) {
    struct config config;
    char error[512];
    if (argc < 1 || argv[0][0] == '-')
        return complain("usage: denoised backup FILE [--database FILE]");
    if (!config_read(&config, argc - 1, argv + 1, error, sizeof error))
        return complain(error);
    if (!store_backup(config.database, argv[0], error, sizeof error)) {
        complain(error);
        return 1;
    }
    return 0;
}

static int command_settings(int argc, char **argv) {
    if (argc == 1 && strcmp(argv[0], "--markdown") == 0)
        config_markdown();
    else if (argc == 1 && strcmp(argv[0], "--mdoc") == 0)
        config_mdoc();
    else
        return complain("usage: denoised settings --markdown|--mdoc");
    return 0;
}

static int command_version(int argc, char **argv) {
    (void)argv;
    if (argc > 0)
        return complain("version takes no arguments");
    printf("denoised %s (%s), kernels %s\n", denoised_version, denoised_commit, dn_kernels_name());
    return 0;
}

static int command_help(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* the arguments after the name */
    const char *doc;
} commands[] = {
    {"serve", command_serve, "run the service until SIGTERM"},
    {"demo", demo_run, "train the spiral over HTTP on a server of its own, and show the result"},
    {"key", command_key, "make an API key: NAME [--scope read|write] >> FILE of --api-keys"},
    {"backup", command_backup, "copy the database of a server, which may run, to a new FILE"},
    {"healthcheck", command_healthcheck, "exit 0 if the service answers that it is ready"},
    {"settings", command_settings,
     "print the settings, for the README or the manual: --markdown|--mdoc"},
    {"version", command_version, "print what this program is"},
    {"--help", command_help, "print this"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int command_help(int argc, char **argv) {
    (void)argc, (void)argv;
    printf("denoised %s: train and serve denoising diffusion models over HTTP\n\n",
           denoised_version);
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  denoised %-12s %s\n", commands[i].name, commands[i].doc);
    printf("\nsettings of serve, backup and healthcheck, as a flag or in the environment:\n\n");
    config_help();
    return 0;
}

int main(int argc, char **argv) {
    limits_open_standard();
    if (argc < 2) {
        command_help(0, NULL);
        return 2;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            for (int j = 2; j < argc; j++)
                if (strcmp(argv[j], "--help") == 0)
                    return command_help(0, NULL);
            return commands[i].run(argc - 2, argv + 2);
        }
    fprintf(stderr, "denoised: there is no command \"%s\"; see denoised --help\n", argv[1]);
    return 2;
}
