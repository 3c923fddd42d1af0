/*
 * arguments.h - arguments of commands that take no settings.
 */
#ifndef SERVER_ARGUMENTS_H
#define SERVER_ARGUMENTS_H

/* The value of a flag at argv[*at], as "--flag value" (then *at moves on to the value) or
 * "--flag=value"; "" if it has none; NULL if this is another argument. */
const char *argument_value(int argc, char **argv, int *at, const char *flag);

/* Reports an unknown argument on standard error, and proposes the flag (NULL: none) if it is
 * similar. Returns the exit status, 2. */
int argument_unknown(const char *argument, const char *flag);

#endif
