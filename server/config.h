/*
 * config.h - the settings of `denoised serve`: one table makes the flags, the DENOISED_*
 * environment variables and the help.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/log.h"

/* Optional texts are NULL when they are not set. */
struct config {
    const char *host;
    int port;
    const char *base_path; /* "/denoised", without a slash at the end */
    const char *database, *database_listen;
    int workers;
    int samplers;
    double checkpoint_seconds;
    int node_lease; /* seconds */
    int database_connections;
    int max_database; /* MiB; 0: no limit */
    int keep_events_days, keep_jobs_days;
    const char *simd;
    const char *api_keys;
    bool anonymous;
    const char *allowed_hosts, *cors_origins, *trusted_proxies; /* comma-separated */
    const char *tls_cert, *tls_key;
    int max_queued;
    int max_training_memory; /* MiB; 0: what fits the machine */
    int max_upload, max_body_memory, max_answer_memory, model_cache; /* MiB */
    int max_connections, max_connections_per_ip;
    int requests_per_minute; /* 0: no limit */
    int send_timeout;        /* seconds */
    double max_sample_cost;  /* floating-point operations */
    enum { CONFIG_SANDBOX_AUTO, CONFIG_SANDBOX_OFF } sandbox;
    enum log_level log_level;
    enum log_format log_format;
};

/* Reads the defaults, then the environment (an empty variable counts as not set), then the
 * arguments after the command's name. False and a message at the first error. Texts are borrowed
 * from argv and the environment. */
bool config_read(struct config *config, int argc, char **argv, char *error, size_t error_size);

/* Logs each variable DENOISED_* that is not a setting, or not meant as one. */
void config_look_around(void);
/* Is the database on a server, rather than a file? */
bool config_has_server(const struct config *config);

/* Prints the table on standard output: for a terminal, as Markdown, or for a manual page. */
void config_help(void);
void config_markdown(void);
void config_mdoc(void);

#endif
