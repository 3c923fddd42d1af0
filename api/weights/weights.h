/*
 * weights.h - the files of models, which export.c writes and import.c reads.
 */
#ifndef API_WEIGHTS_WEIGHTS_H
#define API_WEIGHTS_WEIGHTS_H

/* The version of the list of metadata, which are all texts. */
#define WEIGHTS_FORMAT "denoised 1"

enum { WEIGHTS_LONG_BYTES = 1 << 20 }; /* larger files are processed alone, without pauses */

#endif
