/*
 * config.h - the settings of `denoised serve`: one table makes the flags, the DENOISED_*
 * environment variables and the help.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct config {
    const char *host;
    int port;
    const char *database;
    int workers;
    int samplers;
    int max_queued;
    const char *simd;
    const char *log_level;
    bool anonymous;
};

/* Defaults, then the environment, then the arguments after the command's name. False and a message
 * on the first thing that is wrong. Texts are borrowed from argv and the environment. */
bool config_read(struct config *config, int argc, char **argv, char *error, size_t error_size);

/* Prints the table on standard output. */
void config_help(void);

#endif
