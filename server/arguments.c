#include "server/arguments.h"

#include <stdio.h>
#include <string.h>

#include "server/base/guess.h"

const char *argument_value(int argc, char **argv, int *at, const char *flag) {
    const char *argument = argv[*at];
    const size_t length = strlen(flag);
    if (strncmp(argument, flag, length) != 0)
        return NULL;
    if (argument[length] == '=')
        return argument + length + 1;
    if (argument[length])
        return NULL;
    return *at + 1 < argc ? argv[++*at] : "";
}

int argument_unknown(const char *argument, const char *flag) {
    struct guess guess = {.typed = argument};
    if (flag)
        guess_offer(&guess, flag, 0);
    fprintf(stderr, "denoised: unknown argument \"%s\"", argument);
    if (guess.meant)
        fprintf(stderr, "; did you mean %s?", guess.meant);
    fprintf(stderr, "\n");
    return 2;
}
