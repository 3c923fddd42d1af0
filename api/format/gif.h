/*
 * gif.h - trajectories as an animation: x on the left, the estimate of x0 on the right.
 */
#ifndef API_FORMAT_GIF_H
#define API_FORMAT_GIF_H

#include "api/format/formats.h"

/* Loops forever; the first and the last frame are shown longer. */
void gif_trajectory(struct buffer *out, const struct picture *picture);

/* How long frame k is shown, in hundredths of a second. */
int gif_ticks(const struct picture *picture, int k);

#endif
