/*
 * arguments.h - arguments of commands that take no settings.
 */
#ifndef SERVER_ARGUMENTS_H
#define SERVER_ARGUMENTS_H

/* The value of a flag at argv[*at], as "--flag value" (*at moves on to the value) or
 * "--flag=value"; "" if there is none; NULL: this is another argument. */
const char *argument_value(int argc, char **argv, int *at, const char *flag);

/* Complains about an argument on standard error, and proposes the flag if that is nearly it (NULL:
 * there is none). The exit status, 2. */
int argument_unknown(const char *argument, const char *flag);

#endif
