/*
 * team.h - threads that split one training step: a dn_team for the engine.
 *
 * A step hands out work several times in a few microseconds, so the threads spin for a moment
 * before they sleep.
 */
#ifndef SERVER_JOBS_TEAM_H
#define SERVER_JOBS_TEAM_H

#include "engine/denoise.h"

/* A team of `size` threads, the caller's included. NULL when they cannot be started. */
struct dn_team *team_start(int size);
void team_stop(struct dn_team *base); /* NULL is fine */

#endif
