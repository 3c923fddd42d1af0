#include "server/threads/turns.h"

#include <math.h>
#include <stddef.h>

/* Seconds: work that could not continue for a long time must not block others as long. */
#define MAX_OWED (3 * TURN_SLICE_SECONDS)
/* Seconds: a client that has used much and comes back does not wait for others to use as much. */
#define MAX_DEBT (2 * TURN_SLICE_SECONDS)

static int place_of(const struct turn *turn) {
    return (int)(turn->client % TURN_CLIENTS);
}

static struct turn_line *line_of(struct turns *turns, const struct turn *turn) {
    return &turns->lines[turn->class];
}

void turns_init(struct turns *turns) {
    *turns = (struct turns){0};
    for (int i = 0; i < TURN_CLASSES; i++)
        turns->lines[i].end = &turns->lines[i].first;
}

static void count_begun(struct turns *turns, const struct turn *turn, int change) {
    struct turn_line *line = line_of(turns, turn);
    if (turn->class == TURN_SMALL || !turn->has_begun)
        return;
    line->begun += change;
    line->begun_of[place_of(turn)] += change;
}

/* A client that was absent cannot claim the time that others have used meanwhile, and what it used
 * before counts up to MAX_DEBT. */
static void enter(struct turns *turns, const struct turn *turn) {
    struct turn_line *line = line_of(turns, turn);
    const int place = place_of(turn);
    if (line->present[place]++ == 0)
        line->used[place] = fmin(fmax(line->used[place], line->now), line->now + MAX_DEBT);
    count_begun(turns, turn, 1);
}

static void leave(struct turns *turns, const struct turn *turn) {
    line_of(turns, turn)->present[place_of(turn)]--;
    count_begun(turns, turn, -1);
}

void turns_back(struct turns *turns, struct turn *turn) {
    struct turn_line *line = line_of(turns, turn);
    turn->next = NULL;
    *line->end = turn;
    line->end = &turn->next;
    line->waiting++;
    line->fresh += !turn->has_begun;
}

void turns_join(struct turns *turns, struct turn *turn) {
    turn->has_begun = turn->is_owed = false;
    enter(turns, turn);
    turns_back(turns, turn);
}

static struct turn *take_out(struct turn_line *line, struct turn **at) {
    struct turn *turn = *at;
    *at = turn->next;
    if (!*at)
        line->end = at;
    line->waiting--;
    line->fresh -= !turn->has_begun;
    return turn;
}

static bool may_continue(const struct turn_line *line, const struct turn *turn, bool may_begin) {
    if (turn->has_begun)
        return true;
    return may_begin &&
           (turn->class == TURN_SMALL ||
            (line->begun < TURN_BEGUN && line->begun_of[place_of(turn)] < TURN_BEGUN_OF_CLIENT));
}

/* The place in the line of the work of this class whose turn it is; NULL: none can continue. */
static struct turn **find(struct turns *turns, enum turn_class class, bool may_begin) {
    struct turn_line *line = &turns->lines[class];
    struct turn **found = NULL;
    for (struct turn **at = &line->first; *at; at = &(*at)->next)
        if (may_continue(line, *at, may_begin) &&
            (!found || line->used[place_of(*at)] < line->used[place_of(*found)]))
            found = at;
    return found;
}

/* The same in the first class that is owed a turn and has work that can continue. */
static struct turn **find_owed(struct turns *turns, bool may_begin) {
    struct turn **found = NULL;
    for (int i = TURN_LARGE; i < TURN_CLASSES && !found; i++)
        if (turns->lines[i].owed >= TURN_SLICE_SECONDS)
            found = find(turns, (enum turn_class)i, may_begin);
    return found;
}

struct turn *turns_take(struct turns *turns, bool may_begin) {
    struct turn **at = find_owed(turns, may_begin);
    const bool is_owed = at;
    for (int i = 0; i < TURN_CLASSES && !at; i++)
        at = find(turns, (enum turn_class)i, may_begin);
    if (!at)
        return NULL;
    struct turn_line *line = line_of(turns, *at);
    struct turn *turn = take_out(line, at);
    line->now = fmax(line->now, line->used[place_of(turn)]);
    turn->is_owed = is_owed;
    if (!turn->has_begun) {
        turn->has_begun = true;
        count_begun(turns, turn, 1);
    }
    return turn;
}

static void grow(struct turns *turns, struct turn *turn) {
    leave(turns, turn);
    turn->class = TURN_LARGE;
    enter(turns, turn);
}

/* Later classes in which work waits are owed a share of the time that this work has taken. */
static void owe(struct turns *turns, const struct turn *turn, double seconds) {
    static const double shares[TURN_CLASSES] = {
        [TURN_LARGE] = TURN_LARGE_SHARE, [TURN_BACKGROUND] = TURN_BACKGROUND_SHARE};
    for (int i = (int)turn->class + 1; i < TURN_CLASSES; i++) {
        struct turn_line *line = &turns->lines[i];
        if (line->waiting > 0)
            line->owed = fmin(MAX_OWED, line->owed + seconds * shares[i] / (1 - shares[i]));
    }
}

void turns_charge(struct turns *turns, struct turn *turn, double seconds) {
    struct turn_line *line = line_of(turns, turn);
    line->used[place_of(turn)] += seconds;
    line->owed = fmax(0, line->owed - seconds);
    turn->used += seconds;
    owe(turns, turn, seconds);
    if (turn->class == TURN_SMALL && turn->used >= TURN_SMALL_SECONDS)
        grow(turns, turn);
}

void turns_end(struct turns *turns, struct turn *turn) {
    leave(turns, turn);
    turn->has_begun = false;
    for (int i = 0; i < TURN_CLASSES; i++)
        if (turns->lines[i].waiting == 0)
            turns->lines[i].owed = 0;
}

bool turns_is_over(const struct turns *turns, const struct turn *turn, double seconds) {
    bool any_waits = false;
    for (int i = 0; i < TURN_CLASSES; i++) {
        const bool waits = turns->lines[i].waiting > 0;
        if (waits && i < (int)turn->class && !turn->is_owed)
            return true; /* at once: it had a turn only because no work of that class waited */
        any_waits |= waits;
    }
    return seconds >= TURN_SLICE_SECONDS && any_waits;
}

struct turn *turns_drop(struct turns *turns) {
    for (int i = 0; i < TURN_CLASSES; i++)
        for (struct turn **at = &turns->lines[i].first; *at; at = &(*at)->next)
            if (!(*at)->has_begun) {
                struct turn *turn = take_out(&turns->lines[i], at);
                leave(turns, turn);
                return turn;
            }
    return NULL;
}
