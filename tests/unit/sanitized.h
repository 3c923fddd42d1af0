/* Builds with sanitizers run ten times slower. They leave out, or shorten, what only judges numbers that the plain build has
 * judged, by code that other tests run there, too. */
#ifndef TESTS_UNIT_SANITIZED_H
#define TESTS_UNIT_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif
