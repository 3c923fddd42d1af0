/*
 * fault.h - the points at which tests/fault/ kills the process: around everything that becomes
 * durable. They are in the build for those tests alone; elsewhere they are no code at all.
 */
#ifndef SERVER_FAULT_H
#define SERVER_FAULT_H

#ifdef DENOISED_FAULTS
void fault_point(const char *name);
#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

#endif
