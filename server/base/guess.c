#include "server/base/guess.h"

#include <string.h>
#include <strings.h>

/* The number of edits, or swaps of neighbors, between two words (optimal string alignment); 99 for
 * long words, 0 if they differ only in case. */
static int distance_between(const char *a, const char *b) {
    enum { LONGEST = 40 };
    int d[LONGEST + 1][LONGEST + 1];
    const size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return 99;
    if (strcasecmp(a, b) == 0)
        return 0;
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (int)(i + j);
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

bool guess_offer(struct guess *guess, const char *name, int extra) {
    enum { SHORT = 4 };
    const int length = (int)strlen(guess->typed), near = length <= SHORT ? 1 : 2;
    const int most = length <= near ? length - 1 : near; /* something must match */
    const int distance = distance_between(guess->typed, name) + extra;
    if (distance > most || (guess->meant && distance >= guess->distance))
        return false;
    guess->meant = name;
    guess->distance = distance;
    return true;
}
